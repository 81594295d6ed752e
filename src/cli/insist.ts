/** A second Ctrl-C, while a user's own code never returns. */
import { spawn } from 'node:child_process'

/**
 * Signals wait for the code that runs. Ctrl-C in a terminal goes to all processes of a command, so a shell beside this one
 * counts them: where the second has not ended this process within a second, it kills it. It ends when its input does,
 * which `cat` waits for: of what a shell waits for, `wait` alone is surely interrupted by a trapped signal. What it runs
 * in the background hears no Ctrl-C.
 */
const SCRIPT = `
exec 3<&0
cat <&3 >/dev/null &
input=$!
n=0
trap 'n=$((n + 1)); if [ $n = 2 ]; then (sleep 1; kill -0 $input && kill -9 $PPID) & fi' INT
while kill -0 $input; do wait $input; done
`

/** From now on, a second Ctrl-C ends this process whatever it is at. @returns what takes that back. */
export function insistOnInterrupts(): () => void {
  const shell = spawn('/bin/sh', ['-c', SCRIPT], { stdio: ['pipe', 'ignore', 'ignore'] })
  shell.on('error', () => undefined) // without a shell, signals wait
  shell.unref()
  shell.stdin.on('error', () => undefined)
  return () => shell.stdin.destroy()
}
