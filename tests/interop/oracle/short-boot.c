// Lets a User Mode Linux kernel boot in half the time.
//
// While it boots, the kernel tries each of its ways to compute RAID6's parity for 17 ticks of its clock, and picks the
// fastest: nearly a second in which it does nothing else. Until it has found its clock source it asks the host for a
// timer that repeats, one tick each time, and from then on for single alarms only. Preloaded into the kernel
// (LD_PRELOAD), this makes the repeating ones come faster, so that it tries each way for a moment. Its clock is ahead
// by what that saves. How long an empty loop takes is told to it (lpj=), for it would find that wrong.
//
// It needs neither headers nor a C library: cc -shared -fPIC -O2 -nostdlib -o short-boot.so short-boot.c

enum { SYS_TIMER_SETTIME = 223, FASTER = 40 };

struct times {
  long seconds;
  long nanoseconds;
};

struct timer {
  struct times every;
  struct times first;
};

extern int *__errno_location(void);

int timer_settime(void *timer, int flags, const struct timer *wanted, struct timer *before) {
  struct timer changed = *wanted;
  if (wanted->every.seconds == 0) {
    changed.every.nanoseconds /= FASTER;
    if (wanted->every.nanoseconds != 0) changed.first.nanoseconds /= FASTER;
  }
  register struct timer *fourth __asm__("r10") = before;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"((long)SYS_TIMER_SETTIME), "D"(timer), "S"((long)flags), "d"(&changed), "r"(fourth)
                   : "rcx", "r11", "memory");
  if (result < 0) {
    *__errno_location() = (int)-result;
    return -1;
  }
  return 0;
}
