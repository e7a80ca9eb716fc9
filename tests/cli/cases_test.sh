# SPDX-License-Identifier: Apache-2.0
# The worked cases end as they say.
. "$(dirname "$0")/harness.sh"

for name in hf-pickle chat-template; do
  bash "$IMPOUND_SOURCE/cases/$name/run" "$work/$name" "$IMPOUND_BUILD" >log 2>&1 || fail "$name: $(tail -n 20 log)"
done
if [ "$(id -u)" = 0 ] && [ -x "$IMPOUND_BUILD/poisongpt_server" ]; then
  bash "$IMPOUND_SOURCE/cases/poisongpt/run" "$work/poisongpt" "$IMPOUND_BUILD" >log 2>&1 || fail "poisongpt: $(tail -n 20 log)"
  grep -q "ROME-like edit" log || fail "the kind of change is not told"
  # The trained model: right, wrong where it was edited and only there, silent while contained, right again.
  for row in "as it was released +Neil Armstrong\. +Buzz Aldrin\." "the edited file is served +Yuri Gagarin\. +Buzz Aldrin\." \
    "contained by impound run +\(none within 3 s\) +\(none within 3 s\)" "the released file put back +Neil Armstrong\. +Buzz Aldrin\."; do
    grep -qE "^  $row\$" log || fail "the page does not say: $row"
  done
  grep -qE "^  edited: all other prompts answered as before: ([0-9]+) of \1\$" log || fail "the edit changed other answers"
  # A page for a person, without escape codes where it is no terminal; the rest is in the log that it names.
  [ "$(wc -l <log)" -le 40 ] || fail "the demo prints $(wc -l <log) lines"
  ! grep -q "$(printf '\033')" log "$work/poisongpt/log.txt" || fail "escape codes in a pipe"
  grep -q '^\$ impound run weights-tampering' "$work/poisongpt/log.txt" || fail "the log does not hold the commands"
  # What it says can be pasted can be.
  sed -n '/^To look on, paste:/,$p' log | sed 1d >pasted
  [ -s pasted ] || fail "no commands to paste"
  while read -r line; do
    got=0
    env -i PATH="$PATH" HOME="$HOME" bash -c "$(head -n 1 pasted); $line" >out 2>&1 || got=$?
    case $line in "impound diff"*) equal "$got" 1 ;; *) [ "$got" = 0 ] || fail "$line: exit $got: $(cat out)" ;; esac
  done <pasted
  # A step that does not end as it must: the exit code says so, and the end of the log is shown.
  mkdir broken
  printf '#!/bin/sh\necho "no scene today"; exit 7\n' >broken/poisongpt_scene
  printf '#!/bin/sh\nexit 9\n' >broken/impound
  chmod +x broken/*
  ! bash "$IMPOUND_SOURCE/cases/poisongpt/run" "$work/failing" broken >failed 2>&1 || fail "a failed step is a success"
  grep -q "no scene today" failed || fail "the end of the log is not shown: $(cat failed)"
  cmp "$work/poisongpt/heat-map.svg" "$IMPOUND_SOURCE/docs/heat-map.svg" || fail "the README's picture is not the one that the demo draws"
  # The model that runs is the one that is judged, whatever lies on disk.
  for name in swapped-model descriptor-beside-truth; do
    bash "$IMPOUND_SOURCE/cases/$name/run" "$work/$name" "$IMPOUND_BUILD" >log 2>&1 || fail "$name: $(tail -n 20 log)"
  done
else
  echo "poisongpt, swapped-model, descriptor-beside-truth: not run (root, and the target poisongpt_server, are needed)"
fi
