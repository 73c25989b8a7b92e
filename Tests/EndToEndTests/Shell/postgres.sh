#!/usr/bin/env bash
# The catalog on a PostgreSQL server of its own: eight clients push the same fifty new paths at once, while the database is killed and
# comes back. Every path is there once and pulls whole, the check finds nothing, and a second collector is turned away by name, before
# that and after.
source "$(dirname "$0")/common.sh"

control=$shell_dir/../../../scripts/test.d/postgres
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || die 'there is no PostgreSQL; run scripts/setup --tests'
# The user postgres must be able to reach it.
database=$(mktemp -d /tmp/tetryx-postgres.XXXX)
chmod 755 "$database"
collector_pid=
end_database() {
  [[ -z $collector_pid ]] || kill "$collector_pid" 2>/dev/null || true
  finish
  "$control" stop "$database/server" 2>/dev/null || true
  rm -rf "$database"
}
trap end_database EXIT
server_url=$("$control" start "$database/server")
rows() { psql -qAt "$server_url" -c "$1"; }

say 'a server on PostgreSQL'
start_server
token=$(root_token)
stop_server
toml=$XDG_CONFIG_HOME/tetryx/server.toml
sed -i "s|^url = .*|url = \"$server_url\"|" "$toml"
atticd --mode check-config >"$work/check.log" 2>&1 || die "check-config found something: $(cat "$work/check.log")"
expect_failure 'an API server on an empty database' atticd --mode api-server
expect_contains 'an API server on an empty database' 'atticd --mode db-migrations' "$output"
expect_equal 'tables that these made' 0 "$(rows "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")"
atticd --mode db-migrations >"$work/migrations.log" 2>&1 || die "the migrations failed: $(cat "$work/migrations.log")"
start_server --mode api-server
tetryx login local "$url" "$token" >/dev/null 2>&1
tetryx cache create hello >/dev/null 2>&1

say 'another storage directory is refused'
sed "s|^path = .*|path = \"$work/another\"|" "$toml" >"$work/another.toml"
expect_failure 'a server with another directory' atticd -f "$work/another.toml" -l 127.0.0.1:0 --mode api-server
expect_contains 'a server with another directory' 'are in another directory' "$output"

say 'one collector, and no second'
sed -i 's|^interval = .*|interval = "12 hours"|' "$toml"
start_collector() {
  atticd --mode garbage-collector >"$work/collector.log" 2>&1 &
  collector_pid=$!
  await_collector '^Collecting garbage'
}
await_collector() { # what its log has, within 20 seconds
  local tries
  for ((tries = 0; tries < 400; tries++)); do
    ! grep -q "$1" "$work/collector.log" || return 0
    sleep 0.05
  done
  die "the collector does not say \"$1\": $(cat "$work/collector.log")"
}
end_collector() {
  kill "$collector_pid"
  wait "$collector_pid" || die 'the collector did not end well'
  collector_pid=
}
expect_no_second() {
  expect_failure 'a second collector' timeout 20 atticd --mode garbage-collector
  expect_contains 'a second collector' "a garbage collector is running already (tetryx, process $collector_pid on " "$output"
}
start_collector
expect_no_second
expect_failure 'a backup' atticadm backup "$work/backup"
expect_contains 'a backup' 'pg_dump' "$output"

say 'eight clients push the same fifty paths, and the database is killed meanwhile'
mapfile -t paths < <("$shell_dir/make-closure.sh" -n 50 -p mixed -s 91)
mapfile -t closure < <(nix-store -qR "${paths[@]}" | sort -u)
clients=()
for client in 1 2 3 4 5 6 7 8; do
  (
    # Who is answered 503 comes again.
    for ((tries = 0; tries < 30; tries++)); do
      tetryx push hello "${paths[@]}" >"$work/push-$client.log" 2>&1 && exit 0
      sleep 1
    done
    exit 1
  ) &
  clients+=($!)
done
# When the first of them is at it.
for ((tries = 0; tries < 200; tries++)); do
  [[ $(rows 'SELECT count(*) FROM upload') != 0 ]] && break
  sleep 0.02
done
"$control" restart "$database/server"
for client in "${clients[@]}"; do wait "$client" || die "a client could not push: $(tail -n 3 "$work"/push-*.log)"; done
kill -0 "$server_pid" || die 'the server ended'
say "$(grep -c ' 503, ' "$server_log" || true) requests were told to come again"

expect_equal 'objects' "${#closure[@]}" "$(rows 'SELECT count(*) FROM object')"
expect_equal 'NARs that are there twice' 0 "$(rows 'SELECT count(*) - count(DISTINCT nar_hash) FROM nar')"
expect_equal 'chunks that are there twice' 0 "$(rows 'SELECT count(*) - count(DISTINCT hash) FROM chunk')"
if grep -qiE 'deadlock|could not serialize|duplicate key' "$server_log"; then die "clients got into each other's way: $(grep -iE 'deadlock|serialize|duplicate' "$server_log" | head -n 3)"; fi
expect_contains 'the check' 'clean' "$(atticadm fsck --verify-content 2>&1 | tail -n 1)"

say 'pull'
tetryx use hello >/dev/null 2>&1
pull "$work/nix-demo" "${paths[@]}" >/dev/null 2>&1 || die 'the pull failed'
verify_pulled "$work/nix-demo" "${closure[@]}"

say 'the collector has its right again, long before its next collection'
await_collector 'has given it to this process again'
expect_no_second
end_collector

say 'what the collector takes away is gone from what the server answers'
sed -i 's|^interval = .*|interval = "1 seconds"|' "$toml"
start_collector
hash=${paths[0]#/nix/store/}
hash=${hash%%-*}
expect_status 'the narinfo' 200 -H "Authorization: Bearer $token" "$url/hello/$hash.narinfo"
tetryx cache configure hello --retention-period 1s >/dev/null 2>&1
for ((tries = 0; tries < 200; tries++)); do
  [[ $(rows 'SELECT count(*) FROM object') == 0 ]] && break
  sleep 0.1
done
expect_equal 'objects that are left' 0 "$(rows 'SELECT count(*) FROM object')"
sleep 2
expect_status 'the narinfo of what was collected' 404 -H "Authorization: Bearer $token" "$url/hello/$hash.narinfo"
end_collector
stop_server
say 'done'
