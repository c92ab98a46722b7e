// Lets a User Mode Linux kernel run on processors whose register state is larger than it knows.
//
// The kernel of Debian 12 sets aside 2,696 bytes for a process's extended registers (up to AVX-512 and
// the protection keys). Since AMX that state has 11,008 bytes: the host answers a short read, but
// refuses a short write, and the first program that the kernel starts dies of it. Preloaded into the
// kernel (LD_PRELOAD), this completes such a write: what the kernel does not know stays as it is in the
// process, and the tile registers, which no program in there uses, count as never touched.
//
// It needs neither headers nor a C library: cc -shared -fPIC -O2 -nostdlib -o wide-xstate.so wide-xstate.c

enum { SYS_PTRACE = 101, GETREGSET = 0x4204, SETREGSET = 0x4205, PEEK_LAST = 3, NT_X86_XSTATE = 0x202 };
enum { STATE_MAX = 65536, HEADER = 512, TILE_BITS = 3 << 17 };

struct range {
  char *base;
  unsigned long length;
};

extern int *__errno_location(void);

static long ask(long request, long pid, long address, void *data) {
  register void *fourth __asm__("r10") = data;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"((long)SYS_PTRACE), "D"(request), "S"(pid), "d"(address), "r"(fourth)
                   : "rcx", "r11", "memory");
  return result;
}

static long write_registers(long pid, struct range *known) {
  static char state[STATE_MAX] __attribute__((aligned(64)));
  struct range whole = {state, STATE_MAX};
  long result = ask(GETREGSET, pid, NT_X86_XSTATE, &whole);
  if (result < 0) return result;
  if (known->length >= whole.length) return ask(SETREGSET, pid, NT_X86_XSTATE, known);
  for (unsigned long i = 0; i < known->length; i++) state[i] = known->base[i];
  *(unsigned long *)(state + HEADER) &= ~(unsigned long)TILE_BITS;
  return ask(SETREGSET, pid, NT_X86_XSTATE, &whole);
}

long ptrace(long request, long pid, long address, void *data) {
  long value;
  // The C library returns what a peek found; the system call stores it.
  if (request > 0 && request <= PEEK_LAST) data = &value;
  long result = request == SETREGSET && address == NT_X86_XSTATE ? write_registers(pid, data)
                                                                  : ask(request, pid, address, data);
  if (result < 0) {
    *__errno_location() = (int)-result;
    return -1;
  }
  return request > 0 && request <= PEEK_LAST ? value : result;
}
