# SPDX-License-Identifier: Apache-2.0
# Colour where a person looks, and nowhere else; tables that fit; silent pipes.
. "$(dirname "$0")/harness.sh"

escape=$(printf '\033')
mkdir model
python3 - <<'PY'
import pickle, os
class Evil:
    def __reduce__(self): return (os.system, ("true",))
open("model/pytorch_model.bin", "wb").write(pickle.dumps(Evil()))
PY
"$IMPOUND" scan model >plain
! grep -q "$escape" plain || fail "escapes in a file"
grep -q "^malicious" plain || fail "no verdict to paint: $(cat plain)"
"$IMPOUND" scan model --color always >painted
grep -q "$escape" painted || fail "--color always paints nothing"
sed "s/$escape\[[0-9;]*m//g" painted | cmp - plain || fail "paint changes the text"
NO_COLOR=1 "$IMPOUND" scan model --color always >asked
cmp -s asked painted || fail "NO_COLOR wins over --color always"
code 2 impound scan model --color sometimes
says "expected one of auto, always, never"
"$IMPOUND" scan model --color always --json >out
! grep -q "$escape" out || fail "escapes in a document"

# On a terminal, unless NO_COLOR, --color never or a dumb one.
screen() { python3 - "$@" >shown <<'PY'
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(sys.argv[1]), 0, 0))
out = b""
while True:
    try:
        part = os.read(fd, 65536)
    except OSError:
        break
    if not part:
        break
    out += part
os.waitpid(pid, 0)
sys.stdout.buffer.write(out.replace(b"\r\n", b"\n"))
PY
}
export TERM=xterm
screen 80 "$IMPOUND" scan model
grep -q "$escape\[1;31mmalicious" shown || fail "no colour on a terminal"
NO_COLOR=1 screen 80 "$IMPOUND" scan model
grep -q "^malicious" shown && ! grep -q "$escape\[1" shown || fail "NO_COLOR is not heard"
screen 80 "$IMPOUND" scan model --color never
grep -q "^malicious" shown && ! grep -q "$escape\[1" shown || fail "--color never is not heard"
TERM=dumb screen 80 "$IMPOUND" scan model
grep -q "^malicious" shown && ! grep -q "$escape\[1" shown || fail "a dumb terminal is painted"
NO_COLOR='' screen 80 "$IMPOUND" scan model
grep -q "$escape\[1;31m" shown || fail "an empty NO_COLOR is no NO_COLOR"

# Tables fit the terminal that they are on: 60 columns.
examiner
code 0 impound case new IR-2026-001-with-a-long-name --title "the answers of the support desk were changed at night"
deployment d
code 0 impound collect model-files prompt-log --deployment d/d.toml
for words in "case list" "exhibit list" "playbook list" "playbook show weights-tampering" "deployment check d/d.toml" "custody log"; do
  # The window is set once the program runs: stty in front of it waits for that.
  # shellcheck disable=SC2086
  screen 60 sh -c 'stty cols 60; exec "$@"' - "$IMPOUND" $words
  sed -i "s/$escape\[[0-9;]*[mK]//g" shown
  [ -s shown ] || fail "$words shows nothing"
  # A word that is longer than a line (a path, a digest) cannot be broken, and a title is no table.
  awk -v w="$words" '{ n = split($0, part, " "); long = 0; for (i in part) if (length(part[i]) > 34) long = 1; if (w == "playbook show weights-tampering" && NR == 1) long = 1; if (length($0) > 60 && !long) { print w ": " $0; bad = 1 } } END { exit bad }' shown || fail "wider than 60 columns"
done
# A program gets one line a row, of any width.
equal "$("$IMPOUND" case list | wc -l)" 2

# A reader that goes away is nobody's error.
for words in "scan --rules" "custody log" "playbook list"; do
  # shellcheck disable=SC2086
  "$IMPOUND" $words 2>err | true
  [ ! -s err ] || fail "a broken pipe is told: $(cat err)"
done
