# What the end-to-end scripts share; sourced by them.
#
# Every script works in a directory of its own with its own home, XDG directories and nix.conf, on a free port, and
# takes all of it away at its end. TETRYX_BINARIES names the directory of atticd, atticadm and tetryx; with
# TETRYX_KEEP=1 the directory stays.
set -euo pipefail

shell_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
script_name=$(basename "$0" .sh)
say() { printf '%s: %s\n' "$script_name" "$*" >&2; }

[[ -x ${TETRYX_BINARIES:-}/atticd ]] || { say 'TETRYX_BINARIES must name the directory of the built tools; scripts/test sets it'; exit 1; }
PATH=$TETRYX_BINARIES:$PATH

work=$(mktemp -d)
cd "$work"
server_pid=
server_log=$work/server.log
: >"$server_log"

finish() {
  local status=$?
  [[ -z $server_pid ]] || kill_server
  if [[ $status != 0 ]]; then
    say "failed; the server's last lines:"
    tail -n 30 "$server_log" >&2 || true
  fi
  if [[ -n ${TETRYX_KEEP:-} ]]; then say "kept $work"; else
    chmod -R u+w "$work" 2>/dev/null || true
    rm -rf "$work"
  fi
}
trap finish EXIT

# Nobody's settings but ours: not the user's, not the machine's Nix, no proxy between us and localhost.
unset NIX_PATH NIX_CONFIG NIX_USER_CONF_FILES http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
unset "${!ATTIC_SERVER_@}"
export HOME=$work/home XDG_CONFIG_HOME=$work/config XDG_DATA_HOME=$work/data XDG_CACHE_HOME=$work/cache
export XDG_STATE_HOME=$work/state NIX_CONF_DIR=$work/nix-conf LC_ALL=C.UTF-8
mkdir -p "$HOME" "$XDG_CONFIG_HOME" "$XDG_DATA_HOME" "$XDG_CACHE_HOME" "$XDG_STATE_HOME" "$NIX_CONF_DIR"
cat >"$NIX_CONF_DIR/nix.conf" <<'CONF'
sandbox = false
build-users-group =
substituters =
trusted-public-keys =
experimental-features = nix-command
require-sigs = true
max-jobs = 2
connect-timeout = 5
download-attempts = 1
narinfo-cache-negative-ttl = 0
CONF

# --- What is checked -------------------------------------------------------------------------------------------

die() { say "$*"; exit 1; }

expect_equal() { # what, expected, actual
  [[ $2 == "$3" ]] && return
  say "$1 is not as expected (- expected, + actual):"
  diff -u <(printf '%s\n' "$2") <(printf '%s\n' "$3") | tail -n +3 >&2 || true
  exit 1
}

expect_match() { # what, extended regular expression that every line matches, actual
  local line
  while IFS= read -r line; do [[ $line =~ ^$2$ ]] || die "$1: the line \"$line\" does not match $2"; done <<<"$3"
}

expect_contains() { # what, text, actual
  [[ $3 == *"$2"* ]] || die "$1 does not contain \"$2\": $3"
}

expect_failure() { # what, command...: it fails, and what it printed is in $output
  local what=$1
  shift
  if output=$("$@" 2>&1); then die "$what succeeded, and should not: $output"; fi
}

http_status() { curl -s -o "$work/http-body" -w '%{http_code}' "$@"; } # curl's arguments; the body is in http-body

expect_status() { # what, status, curl's arguments
  local got
  got=$(http_status "${@:3}") || die "$1: curl failed"
  [[ $got == "$2" ]] || die "$1: HTTP $got, not $2: $(head -c 300 "$work/http-body")"
}

await_status() { # status, curl's arguments: what another process changed is seen within a second or two
  local tries
  for ((tries = 0; tries < 60; tries++)); do
    [[ $(http_status "${@:2}") != "$1" ]] || return 0
    sleep 0.1
  done
  die "${*: -1} is not answered $1: $(head -c 300 "$work/http-body")"
}

# --- The server ------------------------------------------------------------------------------------------------

port_is_free() { ! (exec 3<>"/dev/tcp/localhost/$1") 2>/dev/null; }
given_ports=$work/ports
: >"$given_ports"
free_port() { # one that was not given out before
  local tries candidate
  for ((tries = 0; tries < 100; tries++)); do
    # Below the range that the kernel gives out itself (32768 up).
    candidate=$((20000 + RANDOM % 12000))
    if ! grep -qx "$candidate" "$given_ports" && port_is_free "$candidate"; then
      echo "$candidate" | tee -a "$given_ports"
      return
    fi
  done
  die 'no free port'
}
port=$(free_port)
url=http://localhost:$port
storage=$XDG_DATA_HOME/tetryx/storage

start_server() { launch '^Listening on ' atticd -l "[::]:$port" "$@"; } # atticd's further arguments; returns when it listens

launch() { # what its output has when it is there, command...: in server_pid; its output is in server.log
  # Now, and not when the shell behind "&" gets to it: the lines of the server before would be taken for this one's.
  : >"$server_log"
  "${@:2}" >"$server_log" 2>&1 &
  server_pid=$!
  local tries
  for ((tries = 0; tries < 600; tries++)); do
    grep -q "$1" "$server_log" && return
    kill -0 "$server_pid" 2>/dev/null || die "${*:2} ended instead of coming up"
    sleep 0.05
  done
  die "${*:2} did not come up within 30 seconds"
}

stop_server() { # gracefully
  kill -TERM "$server_pid"
  local status=0
  wait "$server_pid" || status=$?
  server_pid=
  [[ $status == 0 ]] || die "on SIGTERM the server ended with status $status"
}

kill_server() { # as a power cut does to a process
  kill -KILL "$server_pid" 2>/dev/null || true
  wait "$server_pid" 2>/dev/null || true
  server_pid=
}

root_token() { sed -n 's/^    tetryx login local [^ ]* //p' "$server_log"; }
collect_garbage() { atticd --mode garbage-collector-once >"$work/collect.log" 2>&1 || die "the collection failed: $(cat "$work/collect.log")"; }
fsck() { # exit code, arguments...: its output is in fsck.log
  local wanted=$1 status=0
  shift
  atticadm fsck "$@" >"$work/fsck.log" 2>&1 || status=$?
  [[ $status == "$wanted" ]] || die "atticadm fsck $* ended with $status, not $wanted: $(cat "$work/fsck.log")"
}

source "$shell_dir/foundation.sh"

# --- Nix -------------------------------------------------------------------------------------------------------

# Nix remembers what a cache had, for hours: every pull has a memory of its own.
nix_fresh() { XDG_CACHE_HOME=$(mktemp -d -p "$work" nix-cache.XXXX) "$@"; }

pull() { # store directory, paths...
  nix_fresh nix-store --store "$1" -r "${@:2}"
}

# Checks that each path is whole in a store that was pulled into: by Nix's own hashes, and against the original
# byte for byte, with kinds, modes and link targets.
verify_pulled() { # store directory, paths...
  local store=$1 path
  shift
  NIX_REMOTE='' nix-store --store "$store" --verify-path "$@" || die 'nix-store --verify-path found damage'
  for path in "$@"; do
    cmp <(nix-store --dump "$path") <(nix-store --dump "$store$path") || die "$path differs from the original"
    diff <(find "$path" -printf '%P %y %m %l\n' | sort) <(find "$store$path" -printf '%P %y %m %l\n' | sort) >&2 ||
      die "$path: the tree differs from the original"
    diff -r --no-dereference "$path" "$store$path" >&2 || die "$path: files differ from the original"
  done
}

seconds_since() { awk -v from="$1" -v to="$(date +%s.%N)" 'BEGIN { printf "%.1f", to - from }'; }
