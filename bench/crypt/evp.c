/*
 * OpenSSL's ciphers as one stream in place, timed on request. Each line of standard input, "CIPHER DIRECTION LENGTH SLICES CALLS"
 * (a name OpenSSL knows; encrypt or decrypt), is answered by the nanoseconds of one call in the fastest of so many slices of so
 * many calls each.
 */
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LENGTH_MAX (1 << 20)

static uint64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

int main(void)
{
	unsigned char key[64], iv[16] = {0};
	char name[64], direction[16];
	int length, slices, calls, done;
	void *data;

	if (posix_memalign(&data, 4096, LENGTH_MAX))
		return 1;
	memset(data, 0x5a, LENGTH_MAX);
	for (int i = 0; i < 64; i++)
		key[i] = (unsigned char)(i * 7);
	while (scanf("%63s %15s %d %d %d", name, direction, &length, &slices, &calls) == 5) {
		const EVP_CIPHER *cipher = EVP_get_cipherbyname(name);
		EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
		int isEncryption = strcmp(direction, "encrypt") == 0;
		uint64_t least = UINT64_MAX;

		if (length > LENGTH_MAX || !cipher || !context)
			return 1;
		if (!EVP_CipherInit_ex(context, cipher, NULL, key, iv, isEncryption))
			return 1;
		EVP_CIPHER_CTX_set_padding(context, 0);
		for (int slice = 0; slice < slices; slice++) {
			uint64_t start = now(), taken;
			for (int call = 0; call < calls; call++) {
				if (!EVP_CipherInit_ex(context, NULL, NULL, NULL, iv, -1) ||
				    !EVP_CipherUpdate(context, data, &done, data, length))
					return 1;
			}
			taken = now() - start;
			if (taken < least)
				least = taken;
		}
		printf("%.1f\n", (double)least / calls);
		fflush(stdout);
		EVP_CIPHER_CTX_free(context);
	}
	return 0;
}
