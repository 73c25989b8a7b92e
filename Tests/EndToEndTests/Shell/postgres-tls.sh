#!/usr/bin/env bash
# The catalog on a PostgreSQL server that takes nobody without TLS and a password. With its authority's certificate it is believed; with
# another's, under another name, or with a wrong password it is refused by one sentence. The password is in no log and no message.
source "$(dirname "$0")/common.sh"
source "$shell_dir/tls-common.sh"

control=$shell_dir/../../../scripts/test.d/postgres
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || die 'there is no PostgreSQL; run scripts/setup --tests'
# The user postgres must be able to reach it.
database=$(mktemp -d /tmp/tetryx-postgres.XXXX)
chmod 755 "$database"
end_database() {
  finish
  "$control" stop "$database/server" 2>/dev/null || true
  rm -rf "$database"
}
trap end_database EXIT

authority other
password='hidden!word' encoded='hidden%21word'
server_url=$("$control" start "$database/server")
psql -q "$server_url" -c "ALTER ROLE tetryx PASSWORD '$password'" -c 'CREATE DATABASE catalog'
database_port=$(free_port)
"$control" tls "$database/server" "$database_port" "$work/nginx.pem" "$work/nginx.key"

start_server
token=$(root_token)
stop_server
toml=$XDG_CONFIG_HOME/tetryx/server.toml
use() { # user and password, host, what follows the ? of the URL
  sed -i "s|^url = .*|url = \"postgresql://$1@$2:$database_port/catalog?$3\"|" "$toml"
}
trusted="sslmode=verify-full\&sslrootcert=$work/ca.pem"

say 'with the certificate of its authority'
use "tetryx:$encoded" localhost "$trusted"
atticd --mode check-config >"$work/check.log" 2>&1 || die "check-config: $(cat "$work/check.log")"
start_server
tetryx login local "$url" "$token" >/dev/null 2>&1
tetryx cache create hello >/dev/null 2>&1
head -c 300000 /dev/urandom >noise
path=$(nix-store --add "$work/noise")
tetryx push hello "$path" >push.log 2>&1 || die "the push failed: $(cat push.log)"
tetryx use hello >/dev/null 2>&1
pull "$work/pulled" "$path" >pull.log 2>&1 || die "the pull failed: $(tail -n 5 pull.log)"
verify_pulled "$work/pulled" "$path"
sessions=$(psql -qAt "$server_url&port=$database_port" -c "SELECT ssl FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE datname = 'catalog'")
[[ $(wc -l <<<"$sessions") -ge 2 ]] || die "the server has $sessions"
expect_match 'whether each of its connections is encrypted' t "$sessions"
atticadm fsck >fsck.log 2>&1 || die "fsck: $(cat fsck.log)"
stop_server
cp "$server_log" served.log

say 'what is refused'
expect_refused() { # what, the words that say why, arguments of use
  use "${@:3}"
  local mode
  for mode in check-config monolithic api-server db-migrations; do
    expect_failure "$1, $mode" timeout 20 atticd -l "[::]:$port" --mode "$mode"
    printf '%s\n' "$output" >>refused.log
    expect_contains "$1, $mode" "$2" "$output"
    # The database by its name, once, and nothing of addresses that were tried beside.
    expect_equal "$1, $mode: lines that name the database" 1 "$(grep -c "postgresql://tetryx@$4:$database_port/catalog" <<<"$output")"
    expect_equal "$1, $mode: addresses that are named" 0 "$(grep -c 'Connection refused' <<<"$output" || true)"
  done
}
believe='look at the host in the database url, and at the file of authorities that it names: sslrootcert='
expect_refused 'the certificate of another authority' "certificate verify failed; $believe" \
  "tetryx:$encoded" localhost "sslmode=verify-full\&sslrootcert=$work/other.pem"
expect_refused 'a certificate for another name' "does not match host name \"db.example.org\"; $believe" \
  "tetryx:$encoded" db.example.org "hostaddr=127.0.0.1\&$trusted"
expect_refused 'an authority whose file is not there' "root certificate file \"$work/none.pem\" does not exist; $believe" \
  "tetryx:$encoded" localhost "sslmode=verify-full\&sslrootcert=$work/none.pem"
expect_refused 'a wrong password' 'password authentication failed for user "tetryx"; look at the user, the password and the database' \
  "tetryx:hidden%21other" localhost "$trusted"
expect_refused 'no TLS' 'no encryption; look at the user' "tetryx:$encoded" localhost sslmode=disable

say 'the password'
for secret in "$password" "$encoded" 'hidden%21other' 'hidden!other'; do
  if grep -lF -e "$secret" ./*.log "$server_log"; then die "a log has the password"; fi
done
say "$(grep -c . refused.log) lines say what was refused: $(grep -m 1 'verify failed' refused.log)"
