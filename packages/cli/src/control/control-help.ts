export const CONTROL_HELP = `
Commands:
  tree                  what stands on what, now
  describe              the stack as it runs, as a stack file in JSON
  stats                 what went through each device, since it is there or in --seconds
  insert --above NAME --driver DRIVER     put a layer on a device, below all that stands there
  remove NAME           take a layer out; what stood on it stands on what it stood on
  replace NAME --driver DRIVER            put another layer, or another disk, in its place
  trace                 requests, each as the tree of what it became

Examples:
  $ cev serve stack.yaml --socket /run/d.sock --control /run/d.control &
  $ cev control /run/d.control tree
  $ cev control /run/d.control insert --above d0 --driver @cev/test-kit/throttle \\
      --option requestsPerSecond=500
  $ cev control /run/d.control trace --device d0 --op write --count 3
  $ cev control /run/d.control stats --seconds 5
  $ cev control /run/d.control remove d0+throttle

No request fails for a change: those that come are kept back until those under way have ended
(--timeout, 30 seconds; then nothing is changed), what was written is flushed, and all go on
in their order. The rest of the stack does not wait.

Only layers through which the same is read as lies below are put in, taken out or exchanged;
--changes-content allows others, and other disks: a file system that is in use does not
outlive that.

Whoever may open the control socket may change the stack, and have any driver run within the
server: it belongs to its owner alone.
`;
