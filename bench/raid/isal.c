/*
 * ISA-L's parity, timed on request. Each line of standard input, "OPERATION SOURCES LENGTH SLICES CALLS", is answered by
 * the nanoseconds of one call in the fastest of so many slices of so many calls each: p (XOR), pq (P and Q), recover
 * (two sources from P, Q and the others).
 */
#include <isa-l/erasure_code.h>
#include <isa-l/raid.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SOURCES_MAX 16
#define LENGTH_MAX (1 << 20)

static uint64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

int main(void)
{
	void *pieces[SOURCES_MAX + 2];
	unsigned char matrix[SOURCES_MAX * 2], tables[SOURCES_MAX * 2 * 32];
	char operation[16];
	int count, length, slices, calls;

	for (int i = 0; i < SOURCES_MAX + 2; i++) {
		if (posix_memalign(&pieces[i], 4096, LENGTH_MAX))
			return 1;
		memset(pieces[i], i * 37 + 1, LENGTH_MAX);
	}
	for (int i = 0; i < SOURCES_MAX * 2; i++)
		matrix[i] = (unsigned char)(i + 2);
	while (scanf("%15s %d %d %d %d", operation, &count, &length, &slices, &calls) == 5) {
		uint64_t least = UINT64_MAX;
		if (count > SOURCES_MAX || length > LENGTH_MAX)
			return 1;
		ec_init_tables(count, 2, matrix, tables);
		for (int slice = 0; slice < slices; slice++) {
			uint64_t start = now(), taken;
			for (int call = 0; call < calls; call++) {
				if (!strcmp(operation, "p"))
					xor_gen(count + 1, length, pieces);
				else if (!strcmp(operation, "pq"))
					pq_gen(count + 2, length, pieces);
				else
					ec_encode_data(length, count, 2, tables, (unsigned char **)pieces,
						       (unsigned char **)&pieces[count]);
			}
			taken = now() - start;
			if (taken < least)
				least = taken;
		}
		printf("%.1f\n", (double)least / calls);
		fflush(stdout);
	}
	return 0;
}
