#!/usr/bin/env bash
# Connections that are cut in the middle of NARs: Nix goes on where it was, by a range, and what it has in the end is whole.
#
#   resume.sh [SEED]     where connections are cut; else a random one, which is said
source "$(dirname "$0")/common.sh"
seed=${1:-$RANDOM}
count=50

say "making $count paths; seed $seed"
mapfile -t paths < <("$shell_dir/make-closure.sh" -n "$count" -p mixed -s 83)
start_server
tetryx login local "$url" "$(root_token)" 2>/dev/null
tetryx cache create hello --public 2>/dev/null
key=$(tetryx cache info hello 2>&1 | sed -n 's/.*Public Key: *//p')
tetryx push hello "${paths[-1]}" >/dev/null 2>"$work/push.log" || die "the push failed: $(cat push.log)"

for ((proxy_port = port + 1; ; proxy_port++)); do port_is_free "$proxy_port" && break; done
"$shell_dir/cutting-proxy" "$proxy_port" "$port" "$seed" "$work/cuts" 2>"$work/proxy.log" &
proxy_pid=$!
trap 'kill "$proxy_pid" 2>/dev/null || true; finish' EXIT
for ((tries = 0; tries < 200; tries++)); do port_is_free "$proxy_port" || break; sleep 0.05; done

before=$(date +%s.%N)
pull "$work/store" "${paths[-1]}" --option substituters "http://127.0.0.1:$proxy_port/hello" --option trusted-public-keys "$key" \
  --option download-attempts 5 >"$work/pull.log" 2>&1 || die "the pull failed: $(tail -n 5 "$work/pull.log"); $(cat "$work/proxy.log")"
cuts=$(wc -l <"$work/cuts") ends=$(grep -c ' end$' "$work/cuts") ranges=$(grep -c '/nar/.* 206, ' "$server_log") || true
say "$cuts cuts, $((cuts - ends)) of them resets; $ranges answers by range; $(seconds_since "$before") s"
((cuts >= 50)) || die 'that is fewer cuts than 50'
# After a reset the client may not have read a byte, and begins anew.
((ranges >= ends)) || die 'more connections were cut than went on by a range'
verify_pulled "$work/store" "${paths[@]}"
say "all $count paths are whole"
