# SPDX-License-Identifier: Apache-2.0
# "A case that could not be opened for want of space refuses no later attempt":
# a disk of every size from nothing to enough, then the same command with room.
. "$(dirname "$0")/harness.sh"
[ "$(id -u)" = 0 ] || skip "mounting a small disk needs root"
mkdir small
mount -t tmpfs -o size=4k tmpfs small 2>/dev/null || skip "no tmpfs can be mounted here"
clean_up() { umount "$work/small"; }

examiner
failed=0 opened=0
for kib in $(seq 8 4 160); do
  mount -o remount,size=${kib}k small
  got=0
  impound case new IR-9 --title t --folder small/IR-9 >out 2>err || got=$?
  if [ "$got" = 0 ]; then
    opened=$((opened + 1))
    rm -rf small/IR-9
    continue
  fi
  equal "$kib KiB: $got" "$kib KiB: 3"
  failed=$((failed + 1))
  mount -o remount,size=8M small
  code 0 impound case new IR-9 --title t --folder small/IR-9
  code 0 impound custody verify --case small/IR-9
  rm -rf small/IR-9
done
[ "$failed" -ge 5 ] && [ "$opened" -ge 3 ] || fail "$failed failed and $opened did not: the disk was never nearly full"
echo "full disk: $failed sizes at which no case could be opened, each followed by one"
