# SPDX-License-Identifier: Apache-2.0
# The worked cases end as they say.
. "$(dirname "$0")/harness.sh"

for name in hf-pickle chat-template; do
  bash "$IMPOUND_SOURCE/cases/$name/run" "$work/$name" "$IMPOUND_BUILD" >log 2>&1 || fail "$name: $(tail -n 20 log)"
done
if [ "$(id -u)" = 0 ] && [ -x "$IMPOUND_BUILD/poisongpt_server" ]; then
  bash "$IMPOUND_SOURCE/cases/poisongpt/run" "$work/poisongpt" "$IMPOUND_BUILD" >log 2>&1 || fail "poisongpt: $(tail -n 20 log)"
  grep -q "ROME-like edit" log || fail "the kind of change is not told"
  cmp "$work/poisongpt/heat-map.svg" "$IMPOUND_SOURCE/docs/heat-map.svg" || fail "the README's picture is not the one that the demo draws"
  # The model that runs is the one that is judged, whatever lies on disk.
  for name in swapped-model descriptor-beside-truth; do
    bash "$IMPOUND_SOURCE/cases/$name/run" "$work/$name" "$IMPOUND_BUILD" >log 2>&1 || fail "$name: $(tail -n 20 log)"
  done
else
  echo "poisongpt, swapped-model, descriptor-beside-truth: not run (root, and the target poisongpt_server, are needed)"
fi
