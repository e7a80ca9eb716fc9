# SPDX-License-Identifier: Apache-2.0
# What the worked cases share. Source it with $root, $out (absolute) and $build set.
# With $log set as well, every command and its output go to that file, and the
# screen gets what is told by `say`; where a step fails, also the end of the log.
PATH=$build:$build/cases:$PATH
export XDG_CONFIG_HOME=$out/config IMPOUND_HOME=$out/cases IMPOUND_PLAYBOOKS=$root/playbooks

exec 3>&1
[ -z "${log:-}" ] || exec >"$log" 2>&1
bold= plain=
if [ -t 1 ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); fi
say() {
  printf '%s\n' "$@" >&3
  [ -z "${log:-}" ] || printf '%s\n' "$@"
}

server=
stop_server() {
  [ -n "$server" ] || return 0
  kill -CONT "$server" 2>/dev/null || true
  kill "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  server=
}
end_scene() {
  local code=$?
  stop_server
  if [ "$code" != 0 ] && [ -n "${log:-}" ]; then
    printf '%s\n' "" "This did not end as it must (exit code $code); the end of $log:" >&3
    tail -n 20 "$log" | sed 's/^/  /' >&3
  fi
}
trap end_scene EXIT

step() { printf '\n%s$ %s%s\n' "$bold" "$*" "$plain"; }
# Runs a command and insists on its exit code: expect CODE COMMAND…
expect() {
  local want=$1 got=0
  shift
  step "$@"
  "$@" || got=$?
  [ "$got" = "$want" ] || { echo "exit code $got, expected $want" >&2; exit 1; }
}

# Starts a command as the served deployment; its last argument is the file it writes its port to: serve COMMAND… FILE
serve() {
  rm -f "${!#}"
  "$@" 3>&- &
  server=$!
  for _ in $(seq 100); do [ -s "${!#}" ] && break; sleep 0.1; done
  port=$(cat "${!#}")
}

# A descriptor of a model that is served on $port: describe NAME MODEL FILE [LINE of [model]]…
describe() {
  local name=$1 model=$2 file=$3
  shift 3
  {
    printf 'schema = 1\nname = "%s"\n\n[model]\npath = "%s"\n' "$name" "$model"
    printf '%s\n' "$@"
    printf '\n[process]\nport = %s\n\n[[probe]]\nname = "models"\nurl = "http://127.0.0.1:%s/v1/models"\n' "$port" "$port"
    # Freezing a process tree needs root; without it the run records a gap.
    [ "$(id -u)" != 0 ] || printf '\n[containment]\nmethod = "process"\n'
  } >"$file"
}

# What the run found, held against what it must find: findings CASE EXPECTED
findings() {
  echo; echo "The findings are exactly the expected ones:"
  sqlite3 "$IMPOUND_HOME/$1/case.db" "SELECT verdict, severity, title FROM findings" | tee findings.txt
  diff findings.txt "$2"
}

# The end of a case: given back, verified, closed, exported, checked with stock tools.
finish_case() {
  if [ "$(id -u)" = 0 ]; then
    expect 0 impound release --purpose "the scene ends; a real one is released after the files were replaced"
  fi
  expect 0 impound custody verify
  expect 0 impound case close --reason "worked example"
  expect 0 impound case export --out "$out/export" --recipient "counsel" --purpose "legal review"
  step "sh export/VERIFY.sh        # stock tools only"
  sh export/VERIFY.sh
}
