export const CONFORMANCE_HELP = `
Examples:
  $ cev nbd-conformance nbd://localhost                        look, and change nothing
  $ cev nbd-conformance 'nbd+unix:///disk?socket=/tmp/s' --write
  $ cev nbd-conformance 'nbds://user@host/?tls-psk-file=keys' --json > report.json
  $ cev nbd-conformance --list                                 which rules are looked at?
  $ cev nbd-conformance nbd://localhost --only 'meta/*' --verbose

Puts to an NBD server every rule of the protocol document (doc/proto.md of
NetworkBlockDevice/nbd) that can be seen from outside: what has to work, and what has to be
refused. Each rule is a check with a name that stays, and with the sentence it comes from.
Messages that no decent client sends are among them: try it on a server you may break.

Without --write nothing is changed. With it the last 64 MiB of the export are written; what
was there is kept in a file whose name is told, and put back at the end, also after Ctrl-C. If
that fails, the server being gone, the file stays: its first byte belongs at the byte told.

A rule that the document demands (must) fails a server; a recommendation (should) is told.
What a server does not offer is no fault. --read-only-export names an export of the same
server that is read-only, for the rules about those.

--json prints {"server","size","flags","document","checks":[{"name","level","section",
"sentence","verdict","what","transcript","need","why"}],"counts","isGone","leftover",
"trouble"}; a verdict is "passed", "failed", "notOffered" or "skipped". isGone: the server
does not answer any more; leftover: why what was changed could not be put back; trouble: why
nothing could be seen of the export.

Exit status: 0 no rule broken, 1 some broken, the server gone, no such export, or what was
changed not put back, 2 called the wrong way, 3 no server answers.
`;
