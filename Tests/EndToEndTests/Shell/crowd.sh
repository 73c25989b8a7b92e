#!/usr/bin/env bash
# Ten thousand idle connections and a thousand heads that come byte by byte do not keep a pull of Nix waiting, and take little
# memory; one address gets its share of connections and no more; clients that read nothing keep no answer from others.
#
#   crowd.sh [IDLE] [SLOW] [RUNS]     default 10000 1000 5
source "$(dirname "$0")/common.sh"
idle=${1:-10000} slow=${2:-1000} runs=${3:-5}
ulimit -n "$(ulimit -Hn)"
# The server needs one for each connection, and 2,048 for files.
if (($(ulimit -n) < idle + slow + 2500)); then
  ((slow = ($(ulimit -n) - 2500) / 11, idle = slow * 10))
  say "only $(ulimit -n) files may be open (ulimit -Hn): $idle idle connections and $slow slow heads"
fi

crowd_pid=
crowd() { # output's name, arguments of crowd.py: returns when it is ready
  : >"$work/$1"
  python3 "$shell_dir/crowd.py" "$port" "${@:2}" >"$work/$1" 2>&1 &
  crowd_pid=$!
  local tries
  for ((tries = 0; tries < 1200; tries++)); do
    grep -q '^ready' "$work/$1" && return
    kill -0 "$crowd_pid" 2>/dev/null || die "the crowd ended: $(cat "$work/$1")"
    sleep 0.1
  done
  die 'the crowd was not ready within two minutes'
}
disperse() { kill -TERM "$crowd_pid"; wait "$crowd_pid" || true; crowd_pid=; }
finish_all() {
  local status=$?
  [[ -z $crowd_pid ]] || kill -KILL "$crowd_pid" 2>/dev/null || true
  set +e
  (exit "$status")
  finish
}
trap finish_all EXIT

memory() { sed -n "s/^$1:[^0-9]*\([0-9]*\).*/\1/p" "/proc/$server_pid/status"; } # VmRSS or VmHWM: KiB
median() { sort -n | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

mapfile -t paths < <("$shell_dir/make-closure.sh" -n 60 -p mixed -s 91)
start_server
tetryx login local "$url" "$(root_token)" 2>/dev/null
tetryx cache create hello --public 2>/dev/null
tetryx use hello >/dev/null 2>&1
tetryx push hello "${paths[-1]}" >/dev/null 2>"$work/push.log" || die "the push failed: $(cat push.log)"

timed_pull() { # name, number of the run: into an empty store, which stays after the first run; sets seconds
  local store=$work/store-$1-$2 before
  before=$(date +%s.%N)
  pull "$store" "${paths[-1]}" >"$work/pull.log" 2>&1 || die "a pull failed: $(tail -n 5 "$work/pull.log")"
  seconds=$(awk -v from="$before" -v to="$(date +%s.%N)" 'BEGIN { printf "%.2f", to - from }')
  (($2 == 1)) || { chmod -R u+w "$store"; rm -rf "$store"; }
}

# In pairs, one right after the other, so that whatever else the machine does is the same for both.
for ((run = 1; run <= runs; run++)); do
  timed_pull alone "$run"
  alone=$seconds
  rss=$(memory VmRSS)
  before=$(date +%s.%N)
  crowd crowd.log hold "$idle" "$slow"
  if ((run == 1)); then
    say "$idle idle connections and $slow slow heads are open after $(seconds_since "$before") s"
    each=$((($(memory VmRSS) - rss) * 1024 / (idle + slow)))
    say "the server's memory: $rss KiB before, $(memory VmRSS) KiB with them: $each bytes a connection"
    ((each <= 10240)) || die 'that is more than 10 KiB a connection'
  fi
  timed_pull beside "$run"
  # Heads that take longer than they may are ended meanwhile, and come again.
  ((run > 1)) || sleep 22
  disperse
  awk -v a="$alone" -v b="$seconds" 'BEGIN { printf "%s %s %.2f\n", a, b, b / a }' >>"$work/pairs"
  ((run > 1)) || say "$(tail -n 1 "$work/crowd.log")"
done
verify_pulled "$work/store-beside-1" "${paths[@]}"
ratio=$(cut -d' ' -f3 "$work/pairs" | median)
say "nix-store -r of ${#paths[@]} paths, alone and beside them: $(awk '{ printf "%s%s and %s s", sep, $1, $2; sep = ", " }' "$work/pairs"); the median of the ratios is $ratio"
say "the server's memory at most: $(memory VmHWM) KiB"
awk -v r="$ratio" 'BEGIN { exit !(r < 3) }' || die 'the crowd kept the pull waiting'

# One address has its share, and others have theirs.
read -r taken turned_away others < <(python3 "$shell_dir/crowd.py" "$port" share 1100)
say "of 1100 connections from one address $taken were served, $turned_away answered 503, $others ended otherwise"
expect_equal 'connections from one address' '1024 76 0' "$taken $turned_away $others"
grep -q '127\.0\..* has 1024 connections' "$server_log" || die 'the log does not say who was turned away'
expect_status 'another address' 200 "$url/hello/nix-cache-info"

# A long text is opened while it is sent, by one of 32 threads. Here more than there are take nothing of it.
seq 4000000 >"$work/log"
truncate -s 30000000 "$work/log"
hash=$(printf '0%.0s' {1..32})
expect_status 'PUT of a log' 200 -X PUT -T "$work/log" -H "Authorization: Bearer $(root_token)" "$url/hello/log/$hash-a.drv"
before=$(date +%s.%N)
curl -sS "$url/hello/log/$hash-a.drv" | cmp - "$work/log" || die 'the log came back different'
say "a text of 30 MB that is opened while it is sent: $(seconds_since "$before") s alone"
crowd readers.log readers 40 "/hello/log/$hash-a.drv"
before=$(date +%s.%N)
curl -sS --max-time 50 "$url/hello/log/$hash-a.drv" | cmp - "$work/log" || die 'readers that read nothing keep the log from others'
say "the same beside 40 readers that read nothing: $(seconds_since "$before") s"
disperse
stop_server

# Where there are few descriptors the server says what that means.
(ulimit -n 3000 && exec timeout 3 atticd -l 127.0.0.1:0) >"$work/few.log" 2>&1 || true
expect_contains 'the log of a server with few descriptors' 'may have 3000 files open' "$(cat "$work/few.log")"
expect_contains 'the log of a server with few descriptors' 'so 1500 connections are taken at most; 18432 are enough for all 16384' "$(cat "$work/few.log")"
say 'nobody was kept waiting'
