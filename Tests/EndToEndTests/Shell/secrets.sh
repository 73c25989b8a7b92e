#!/usr/bin/env bash
# What is secret stays so: no file that others can read, nothing in logs, arguments, variables and core files of processes.
umask 000
source "$(dirname "$0")/common.sh"

expect_private() { # what, directory: neither group nor others can do anything with what is in it
  local open
  open=$(find "$2" -perm /077 ! -type l -printf '%m %p\n')
  [[ -z $open ]] || die "$1 is open to others: $open"
}
expect_absent() { # what, secret, files...
  if grep -qF -e "$2" "${@:3}"; then die "$1 is in $(grep -lF -e "$2" "${@:3}" | tr '\n' ' ')"; fi
}
is_empty_or_hidden() { ! tr '\0' '\n' <"/proc/$1/$2" | grep -qF -e "$3"; }

say 'the files of the first run, of pushes and of the client'
start_server
root=$(root_token)
config=$XDG_CONFIG_HOME/tetryx/server.toml
secret=$(sed -n 's/^token-hs256-secret-base64 = "\(.*\)"/\1/p' "$config")
[[ ${#secret} == 88 ]] || die 'the first run wrote no secret'
tetryx login local "$url" - <<<"$root" 2>/dev/null
tetryx cache create hello 2>/dev/null
mkdir tree && head -c 300000 /dev/urandom >tree/noise
path=$(nix-store --add tree)
tetryx push hello "$path" 2>/dev/null
tetryx use hello 2>/dev/null
expect_private 'the configuration' "$XDG_CONFIG_HOME/tetryx"
expect_private "the server's data" "$XDG_DATA_HOME/tetryx"
expect_equal 'the mode of the netrc' 600 "$(stat -c %a "$XDG_CONFIG_HOME/nix/netrc")"
atticadm backup "$work/backup" >/dev/null 2>backup.log
expect_private 'the backup' "$work/backup"

say 'what a process shows of itself'
expect_match 'the limit of core files' 'Max core file size +0 +0 +bytes *' "$(grep '^Max core' "/proc/$server_pid/limits")"
# Of a process that keeps its memory to itself these belong to root, whoever runs it.
if [[ $(id -u) != 0 ]]; then expect_equal 'the owner of environ' 0 "$(stat -c %u "/proc/$server_pid/environ")"; fi
stop_server

say 'secrets in variables'
ATTIC_SERVER_CONFIG_BASE64=$(base64 -w0 "$config")
export ATTIC_SERVER_CONFIG_BASE64
start_server
is_empty_or_hidden "$server_pid" environ "${ATTIC_SERVER_CONFIG_BASE64:0:40}" || die "the configuration stands in the server's environ"
stop_server
unset ATTIC_SERVER_CONFIG_BASE64

say 'tokens among arguments'
mv "$XDG_CONFIG_HOME/tetryx/config.toml" config.toml
mkfifo -m 600 "$XDG_CONFIG_HOME/tetryx/config.toml"
tetryx login local "$url" "$root" 2>login.log &
login=$!
# It waits for its configuration, with the token among its arguments.
for ((tries = 0; tries < 100; tries++)); do
  [[ $(tr '\0' ' ' <"/proc/$login/cmdline") == *tetryx\ login* ]] && is_empty_or_hidden "$login" cmdline "${root##*.}" && break
  sleep 0.05
done
is_empty_or_hidden "$login" cmdline "${root##*.}" || die 'the token stands among the arguments of a process'
is_empty_or_hidden "$login" cmdline xxxxxxxx && die 'nothing stands in its place'
kill "$login" && wait "$login" 2>/dev/null || true
rm "$XDG_CONFIG_HOME/tetryx/config.toml"
mv config.toml "$XDG_CONFIG_HOME/tetryx/config.toml"

say 'what logs and answers show'
start_server
signing=$(sqlite3 "$XDG_DATA_HOME/tetryx/server.db" 'SELECT keypair FROM cache' 2>/dev/null || true)
token=$(atticadm make-token --sub alice --validity '1 day' --pull hello)
other=${token%?????}AAAAA
ask() { curl -s -o body -D head --path-as-is "$@" || true; }
: >answers
for credentials in "Bearer $token" "Bearer $other" "Basic $(printf 'u:%s' "$token" | base64 -w0)" "Token $token" "$token"; do
  for target in /hello/nix-cache-info /none/nix-cache-info /_api/v1/cache-config/hello "/hello/nix-cache-info?token=$token" /hello/x.narinfo; do
    ask -H "Authorization: $credentials" "$url$target"
    cat head body >>answers
  done
done
ask -X PATCH -H "Authorization: Bearer $root" -d '{"keypair":{"Keypair":"hello:c2VjcmV0LWtleS1ieXRlcw=="}}' "$url/_api/v1/cache-config/hello"
cat head body >>answers
# Line ends and escape sequences, in all that can hold them.
for target in '/hello/%0aforged' '/hello/%1b[2J' $'/hello/\x1b[2J' '/a%0d%0aforged/nix-cache-info' '/hello/log/%0a.drv' '/hello?%0aforged'; do
  ask -H $'X-Odd: \x1b[2J' -H "Authorization: Bearer $root" "$url$target"
done
atticadm token revoke "$token" 2>revoke.log
atticadm token list >list.log
atticadm token list --json >>list.log
atticadm fsck --json >fsck.log
# The access log comes behind.
for ((tries = 0; tries < 100; tries++)); do grep -q 'GET /hello?\.\.\. ' "$server_log" && break; sleep 0.1; done
grep -q 'GET /hello/nix-cache-info?\.\.\. 200' "$server_log" || die 'a request with a query is not in the log'
logs=("$server_log" backup.log login.log revoke.log list.log fsck.log answers)
expect_absent 'a token' "${token##*.}" "${logs[@]}"
expect_absent 'a token that was refused' "${other##*.}" "${logs[@]}"
expect_absent 'the root token' "${root##*.}" "${logs[@]}"
expect_absent 'credentials' "$(printf 'u:%s' "$token" | base64 -w0 | tail -c 40)" "${logs[@]}"
expect_absent 'the secret of tokens' "$secret" "${logs[@]}"
expect_absent 'a signing key' c2VjcmV0LWtleS1ieXRlcw "${logs[@]}"
[[ -z $signing ]] || expect_absent "a cache's signing key" "${signing#*:}" "${logs[@]}"
if LC_ALL=C grep -nP '[^\x20-\x7E]' "$server_log"; then die 'a control character is in the log'; fi
if grep -n '^forged' "$server_log"; then die 'a stranger wrote a line of the log'; fi
stop_server

say 'no access log'
cp "$config" "$work/server.toml"
sed -i '1i access-log = false' "$config"
start_server
ask "$url/hello/nix-cache-info?unseen"
stop_server
if grep -F '/hello/nix-cache-info' "$server_log"; then die 'a request is in the log'; fi
mv "$work/server.toml" "$config"

say 'files that are open to everyone'
start_server
if grep -q 'everyone on this machine' "$server_log"; then die 'it warns of private files'; fi
stop_server
chmod 755 "$work" "$XDG_CONFIG_HOME" "$XDG_CONFIG_HOME/tetryx" "$XDG_DATA_HOME" "$XDG_DATA_HOME/tetryx"
chmod 644 "$config" "$XDG_DATA_HOME/tetryx/server.db"
start_server
grep -qF "everyone on this machine can read $config (mode 644)" "$server_log" || die 'it does not warn of its configuration'
grep -qF "everyone on this machine can read $XDG_DATA_HOME/tetryx/server.db (mode 644)" "$server_log" || die 'it does not warn of its database'
stop_server
say 'secrets stay secret'
