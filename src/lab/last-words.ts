/** What the lab process logs first, and what it logs when a signal asks it to go; `why` names the signal. */
export const beganMessage = "the lab process begins";
export const toldToEndMessage = "the lab process was told to end";
const endedMessage = "the lab process ended";
const ends = [toldToEndMessage, endedMessage];

/**
 * Runs a program and, when it fails, writes why as a line of a lab's log to standard output: a process that is
 * killed, by a person or by the kernel for its memory, cannot say so itself. A shell gives a signal as 128 and its
 * number.
 */
const script = `"$@"
status=$?
[ $status -eq 0 ] && exit 0
why="status $status"
[ $status -gt 128 ] && why="SIG$(kill -l $((status - 128)))"
printf '{"level":"error","ts":"%s","caller":"lab","msg":"${endedMessage}","why":"%s"}\\n' "$(date -u +%Y-%m-%dT%H:%M:%S.000Z)" "$why"
exit $status`;

/** The words that run `argv` as a child of a small shell, which tells in the log how it ended. */
export function withLastWords(argv: readonly string[]): readonly [string, ...string[]] {
  return ["/bin/sh", "-c", script, "lab", ...argv];
}

/** Why the lab process ended, from the text of its log: "SIGKILL at …"; undefined when it says nothing of it. */
export function lastWordsIn(log: string): string | undefined {
  const lines = log.split("\n");
  // What stands before it was said by an earlier process.
  const began = lines.findLastIndex((line) => line.includes(`"${beganMessage}"`));
  const words = lines.slice(began + 1).find((line) => ends.some((message) => line.includes(`"${message}"`)));
  // By pattern: a full disk may have cut the line off.
  const why = /"why":"([^"]+)"/.exec(words ?? "")?.[1];
  const at = /"ts":"([^"]+)"/.exec(words ?? "")?.[1];
  return why === undefined ? undefined : `${why} at ${at ?? "an unknown time"}`;
}
