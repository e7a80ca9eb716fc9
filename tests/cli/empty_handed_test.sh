# SPDX-License-Identifier: Apache-2.0
# "What cannot be had is a gap with its reason, and the rest is taken": a run
# against a server that is down, as a user who may not look at the server, and
# with active harm before there is any exhibit.
. "$(dirname "$0")/harness.sh"

examiner
served d
code 0 impound baseline create d/model --name small -o d/base.json
database() { sqlite3 "$IMPOUND_HOME/$IMPOUND_CASE/case.db" "$1"; }

# Host, logs and weights are there, the comparison was made, what is missing is
# listed, no step failed.
took_the_rest() {
  equal "$(database "SELECT count(*) > 10 FROM items WHERE collector='host'")" 1
  equal "$(database "SELECT count(*) FROM items WHERE collector='prompt-log'")" 1
  equal "$(database "SELECT count(*) FROM items WHERE name='model/model.safetensors'")" 1
  equal "$(database "SELECT count(*) FROM timeline WHERE action='baseline.diff'")" 1
  equal "$(database "SELECT count(*) FROM steps WHERE outcome IN ('', 'failed')")" 0
  equal "$(database "SELECT count(*) FROM steps WHERE step='report' AND outcome='ok'")" 1
  equal "$(database "SELECT count(*) FROM gaps WHERE subject LIKE 'process (%'")" 1
  equal "$(database "SELECT count(*) FROM steps WHERE step='contain' AND outcome='incomplete'")" 1
  equal "$(database "SELECT count(*) FROM steps WHERE step IN ('volatile', 'served') AND outcome='incomplete'")" 2
  code 0 impound custody verify
  code 0 impound exhibit verify
  code 1 impound custody gaps
}

# The server is down.
kill "$server"; wait "$server" 2>/dev/null
export IMPOUND_CASE=down
new_case down
code 3 impound run weights-tampering --deployment d/d.toml --yes -p window=90d
says "nothing listens on TCP port $port"
took_the_rest
says "nothing listens on TCP port $port"
equal "$(database "SELECT outcome FROM exhibits WHERE title LIKE 'process of%'")" missing

# The same with active harm: what cannot be contained does not stop the rest.
export IMPOUND_CASE=harm
new_case harm
code 3 impound run weights-tampering --deployment d/d.toml --yes -p window=90d -p active_harm=true
equal "$(database "SELECT count(*) FROM items WHERE name='model/model.safetensors'")" 1
equal "$(database "SELECT count(*) FROM steps WHERE outcome IN ('', 'failed')")" 0
equal "$(database "SELECT count(*) FROM steps WHERE step='stop-harm' AND outcome='incomplete'")" 1

# Active harm and no method of containment: the first step is a gap, before
# there is any exhibit.
export IMPOUND_CASE=bare
new_case bare
sed '/^\[containment\]/,/^method/d' d/d.toml >d/bare.toml
code 3 impound run weights-tampering --deployment d/bare.toml --yes -p window=90d -p active_harm=true
equal "$(database "SELECT count(*) FROM gaps WHERE subject='containment' AND item='' AND step='stop-harm'")" 1
equal "$(database "SELECT count(*) FROM items WHERE name='model/model.safetensors'")" 1
equal "$(database "SELECT count(*) FROM steps WHERE outcome IN ('', 'failed')")" 0
code 0 impound custody verify

# The server is another user's and may not be looked at.
[ "$(id -u)" = 0 ] || skip "the rest needs root and another user"
command -v setpriv >/dev/null || skip "no setpriv"
served e
chmod 755 "$work"
chmod -R a+rX d e
mkdir nobody-home
chown -R 65534:65534 nobody-home
as_nobody() {
  HOME=$work/nobody-home XDG_CONFIG_HOME=$work/nobody-home IMPOUND_HOME=$work/nobody-home/cases \
    setpriv --reuid=65534 --regid=65534 --clear-groups "$IMPOUND" "$@"
}
[ -x "$IMPOUND" ] && as_nobody --version >/dev/null 2>&1 || skip "nobody may not run $IMPOUND"
cp d/base.json e/base.json
chmod a+r e/base.json
export IMPOUND_CASE=nobody
code 0 as_nobody examiner init --name "Nobody Example" --org "Example Corp" --role responder
code 0 as_nobody case new nobody --title "a test case"
code 3 as_nobody run weights-tampering --deployment e/d.toml --yes -p window=90d
says "try as root"
database() { sqlite3 "$work/nobody-home/cases/nobody/case.db" "$1"; }
impound() { as_nobody "$@"; }
took_the_rest
equal "$(database "SELECT outcome FROM exhibits WHERE title LIKE 'process of%'")" denied
answers || fail "the server was touched"

# [I13] Weights that this user may not read are not called missing.
chmod 0600 e/model/model.safetensors
chown 0:0 e/model/model.safetensors
export IMPOUND_CASE=denied
code 0 as_nobody case new denied --title "a test case"
code 3 as_nobody run weights-tampering --deployment e/d.toml --yes -p window=90d
says "could not be compared, a side was not readable: model.safetensors"
database() { sqlite3 "$work/nobody-home/cases/denied/case.db" "$1"; }
equal "$(database "SELECT count(*) FROM findings WHERE title LIKE '%missing%' OR verdict LIKE 'cleared%' OR verdict='confirmed'")" 0
equal "$(database "SELECT outcome FROM gaps WHERE subject LIKE '%/model.safetensors'")" denied

# No file of the model at all: not compared, and that is said.
chmod 0700 e/model
export IMPOUND_CASE=shut
code 0 as_nobody case new shut --title "a test case"
code 3 as_nobody run weights-tampering --deployment e/d.toml --yes -p window=90d
database() { sqlite3 "$work/nobody-home/cases/shut/case.db" "$1"; }
says "nothing of it could be taken: it was not compared"
equal "$(database "SELECT count(*) FROM findings")" 0
equal "$(database "SELECT count(*) FROM steps WHERE outcome IN ('', 'failed')")" 0
