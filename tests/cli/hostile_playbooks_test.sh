# SPDX-License-Identifier: Apache-2.0
# Playbooks that try to get out: each is refused or harmless, ends in its time, and leaves nothing behind. What they are
# is written in hostile_playbooks.py.
. "$(dirname "$0")/harness.sh"

# A copy of its own: what other tests run at the same time is not counted as left behind.
cp "$IMPOUND" "$work/judged-impound"
IMPOUND=$work/judged-impound

examiner; new_case IR-1; new_case IR-2
deployment d
mkdir beside d/model-other
canary=canary-$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
echo "$canary" >beside/secret.txt
echo "return '$canary'" >d/model-other/secret.txt
cp beside/secret.txt E777
ln -s "$work/beside/secret.txt" d/model/link
ln -s "$work/beside" d/model/away
ln -s link d/model/chain
# No process that matters is the deployment's.
sleep 600 & children+=("$!"); disown
sed -i "s/^pid = 1/pid = $!/" d/d.toml

python3 "$IMPOUND_SOURCE/tests/cli/hostile_playbooks.py" "$IMPOUND" "$work" >tally 2>&1
judged=$?
cat tally
# Nothing that they were not to reach is in what they left: records, reports, exhibits.
secret=$(sed -n 2p "$XDG_CONFIG_HOME/impound/examiner.key")
for case in IR-1 IR-2; do
  folder=$IMPOUND_HOME/$case
  for text in "$canary" "$secret"; do
    ! sqlite3 "$folder/case.db" .dump | grep -qF -- "$text" || fail "the record of $case holds what no playbook may read"
    for bundle in "$folder"/evidence/*.tar.zst; do
      ! zstd -qdc "$bundle" | grep -qaF -- "$text" || fail "$bundle holds what no playbook may read"
    done
  done
  equal "$(sqlite3 "$folder/case.db" "SELECT group_concat(id || ' ' || playbook) FROM runs WHERE state='running'")" ""
  equal "$(sqlite3 "$folder/case.db" "SELECT count(*) FROM containments")" 0
  code 0 impound custody verify --case "$case"
done
exit "$judged"
