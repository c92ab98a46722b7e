/*
 * An NBD client that takes little for itself: all requests of a round leave in one writev, and the answers come in by large
 * reads until every one is there; then the next round begins. Each line of standard input, "SOCKET DIRECTION DEPTH MILLISECONDS"
 * (read or write, requests in a round), is answered by the requests of 4 KiB that were done per second, at random places of the
 * export of the name "default". Takes structured replies where the server has them. Ends with status 1 on the first error.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096
#define DEPTH_MAX 128
#define OPTION_MAGIC 0x49484156454f5054ull
#define OPTION_GO 7
#define OPTION_STRUCTURED 8
#define REPLY_ACK 1
#define REPLY_INFO 3
#define REPLY_ERROR 0x80000000u
#define REQUEST_MAGIC 0x25609513u
#define SIMPLE_MAGIC 0x67446698u
#define STRUCTURED_MAGIC 0x668e33efu

struct __attribute__((packed)) request {
	uint32_t magic;
	uint16_t flags, type;
	uint64_t cookie, offset;
	uint32_t length;
};

/* The first 16 bytes are those of a simple reply, too: magic, errno, cookie. */
struct __attribute__((packed)) reply {
	uint32_t magic;
	uint16_t flags, type;
	uint64_t cookie;
	uint32_t length;
};

static unsigned char input[1 << 20], payload[BLOCK];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void receive(int fd, void *data, size_t length)
{
	// Nothing would be waited for, too.
	if (length > 0 && recv(fd, data, length, MSG_WAITALL) != (ssize_t)length)
		fail("receive");
}

static void sendOption(int fd, uint32_t option, const void *data, uint32_t length)
{
	struct __attribute__((packed)) {
		uint64_t magic;
		uint32_t option, length;
	} head = {htobe64(OPTION_MAGIC), htonl(option), htonl(length)};

	if (write(fd, &head, sizeof head) != sizeof head || write(fd, data, length) != (ssize_t)length)
		fail("option");
}

/* Takes the replies to an option, up to the last. Gives its type; the size of the export where it was told. */
static uint32_t takeReplies(int fd, uint64_t *size)
{
	struct __attribute__((packed)) {
		uint64_t magic;
		uint32_t option, type, length;
	} head;
	uint32_t type;

	do {
		receive(fd, &head, sizeof head);
		receive(fd, input, ntohl(head.length));
		type = ntohl(head.type);
		if (type == REPLY_INFO && input[0] == 0 && input[1] == 0) {
			memcpy(size, input + 2, sizeof *size);
			*size = be64toh(*size);
		}
	} while (type != REPLY_ACK && type < REPLY_ERROR);
	return type;
}

/* Connects, and asks for structured replies and the export. Gives the export's size. */
static int negotiate(const char *path, uint64_t *size)
{
	static const unsigned char wish[] = "\0\0\0\7default\0";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	uint32_t flags;

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof address))
		fail(path);
	receive(fd, input, 18);
	flags = htonl(input[17] & 3);
	if (write(fd, &flags, sizeof flags) != sizeof flags)
		fail("flags");
	sendOption(fd, OPTION_STRUCTURED, NULL, 0);
	takeReplies(fd, size);
	sendOption(fd, OPTION_GO, wish, sizeof wish);
	if (takeReplies(fd, size) != REPLY_ACK)
		fail("the export");
	return fd;
}

static uint64_t randomBlock(uint64_t count)
{
	static uint64_t state = 88172645463325252ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % count;
}

static void sendRound(int fd, int isWrite, int depth, uint64_t blockCount)
{
	static struct request requests[DEPTH_MAX];
	struct iovec parts[2 * DEPTH_MAX];
	int partCount = 0;
	size_t left = 0;

	for (int i = 0; i < depth; i++) {
		requests[i] = (struct request){htonl(REQUEST_MAGIC), 0, htons(isWrite),
					       (uint64_t)i, htobe64(randomBlock(blockCount) * BLOCK),
					       htonl(BLOCK)};
		parts[partCount++] = (struct iovec){&requests[i], sizeof requests[i]};
		if (isWrite)
			parts[partCount++] = (struct iovec){payload, BLOCK};
	}
	for (int i = 0; i < partCount; i++)
		left += parts[i].iov_len;
	for (struct iovec *next = parts; left > 0;) {
		ssize_t sent = writev(fd, next, partCount - (int)(next - parts));

		if (sent <= 0)
			fail("writev");
		left -= (size_t)sent;
		for (; left > 0 && (size_t)sent >= next->iov_len; next++)
			sent -= (ssize_t)next->iov_len;
		next->iov_base = (char *)next->iov_base + sent;
		next->iov_len -= (size_t)sent;
	}
}

/* The length of the answer at this place of the input; 0 where it is not there as a whole. */
static size_t answerLength(const unsigned char *at, size_t filled, int isWrite, int *isLast)
{
	struct reply reply;
	size_t length;

	if (filled < 16)
		return 0;
	memcpy(&reply, at, 16);
	*isLast = 1;
	if (ntohl(reply.magic) == SIMPLE_MAGIC) {
		if (reply.flags || reply.type)
			fail("a request failed");
		length = 16 + (isWrite ? 0 : BLOCK);
	} else {
		if (ntohl(reply.magic) != STRUCTURED_MAGIC || ntohs(reply.type) & 0x8000)
			fail("a request failed");
		if (filled < sizeof reply)
			return 0;
		memcpy(&reply, at, sizeof reply);
		*isLast = ntohs(reply.flags) & 1;
		length = sizeof reply + ntohl(reply.length);
	}
	return length <= filled ? length : 0;
}

static void takeRound(int fd, int isWrite, int depth)
{
	size_t filled = 0, at = 0, length;
	int isLast;

	while (depth > 0) {
		ssize_t count = read(fd, input + filled, sizeof input - filled);

		if (count <= 0)
			fail("read");
		filled += (size_t)count;
		while ((length = answerLength(input + at, filled - at, isWrite, &isLast)) > 0) {
			at += length;
			depth -= isLast;
		}
	}
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(void)
{
	char path[108], direction[8];
	int depth, milliseconds;

	memset(payload, 0x5a, sizeof payload);
	while (scanf("%107s %7s %d %d", path, direction, &depth, &milliseconds) == 4) {
		int isWrite = strcmp(direction, "write") == 0;
		uint64_t size = 0, done = 0;
		int fd = negotiate(path, &size);
		double start = now(), taken;

		if (depth > DEPTH_MAX || size < BLOCK)
			return 1;
		do {
			sendRound(fd, isWrite, depth, size / BLOCK);
			takeRound(fd, isWrite, depth);
			done += (uint64_t)depth;
			taken = now() - start;
		} while (taken * 1000 < milliseconds);
		close(fd);
		printf("%.1f\n", (double)done / taken);
		fflush(stdout);
	}
	return 0;
}
