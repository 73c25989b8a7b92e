# What the sections of scripts/bench share; sourced by it, at the root of the tree.
#
# A section calls `row` for each figure (a pair of reference and subject) and `note` for sentences below its table. The
# servers of a section are started by `start_atticd` and `start_nginx`, and are gone when it ends.

say() { printf 'bench: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

root=$PWD
kept=$root/.build/bench
work=
atticd_pid= nginx_pid=

# --- What a run needs --------------------------------------------------------------------------------------------

need() { # package, command: installed where it is missing
  command -v "$2" >/dev/null && return
  say "installing $1"
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
  [[ $(id -u) == 0 ]] || apt=(sudo "${apt[@]}")
  "${apt[@]}" install -y --no-install-recommends "$1" >&2 || { "${apt[@]}" update >&2 && "${apt[@]}" install -y --no-install-recommends "$1" >&2; } ||
    die "cannot install $1"
}

prepare_tools() {
  local binaries
  [[ -z $build ]] || {
    scripts/setup
    say 'building in release'
    swift build -c release >&2 || die 'the release build failed; the compiler says why above'
  }
  binaries=${TETRYX_BINARIES:-$(swift build -c release --show-bin-path)}
  PATH=$binaries:$PATH
  command -v atticd atticbench >/dev/null || die "there is no atticd in $binaries; leave out --no-build"
  need curl curl
  need time /usr/bin/time
  mkdir -p "$kept"
  work=$(mktemp -d "$kept/run.XXXXXX")
  trap finish EXIT
  # Nobody's settings but ours.
  unset NIX_PATH NIX_CONFIG NIX_USER_CONF_FILES http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
  unset "${!ATTIC_SERVER_@}"
  export HOME=$work/home XDG_CONFIG_HOME=$work/config XDG_DATA_HOME=$work/data XDG_CACHE_HOME=$work/cache
  export XDG_STATE_HOME=$work/state NIX_CONF_DIR=$work/nix-conf LC_ALL=C.UTF-8
  mkdir -p "$HOME" "$XDG_CONFIG_HOME" "$XDG_DATA_HOME" "$XDG_CACHE_HOME" "$XDG_STATE_HOME" "$NIX_CONF_DIR"
  printf '%s\n' 'sandbox = false' 'build-users-group =' 'substituters =' 'trusted-public-keys =' 'max-jobs = 2' \
    'experimental-features = nix-command' 'require-sigs = true' 'connect-timeout = 5' 'download-attempts = 1' \
    'narinfo-cache-negative-ttl = 0' >"$NIX_CONF_DIR/nix.conf"
  ulimit -n "$(ulimit -Hn)"
}

finish() {
  local status=$?
  stop_all
  if [[ $status != 0 && -s $work/atticd.log ]]; then tail -n 20 "$work/atticd.log" >&2; fi
  if [[ -n $keep ]]; then say "kept $work"; else
    chmod -R u+w "$work" 2>/dev/null || true
    rm -rf "$work"
  fi
}

# --- Figures -----------------------------------------------------------------------------------------------------

row() { printf '%s\t%s\t%s\t%s\t%s\n' "$@" >>"$rows"; } # measure, unit, wanted, reference, subject
note() { printf '%s\n' "$*" >>"$notes"; }
calculate() { awk "BEGIN { printf \"%.6g\", $1 }"; }
now() { date +%s.%N; }

# The two sides of a pair. Every other pair begins with the subject, so that neither always finds what the other left.
in_turn() { # pair, reference's function, subject's function
  if (($1 % 2 == 1)); then "$2"; "$3"; else "$3"; "$2"; fi
}

machine() {
  local processor
  processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
  printf '%s on %s × %s, %s' "$(date -u +%F)" "$(nproc)" "${processor:-a processor}" \
    "$(grep -qw sha_ni /proc/cpuinfo && echo 'SHA extensions' || echo 'no SHA extensions')"
  printf ', Linux %s; load %s before, %s after; %s.\n' "$(uname -r | cut -d- -f1)" \
    "$load_at_start" "$(cut -d' ' -f1-3 /proc/loadavg)" "$runs"
}

publish() { # section: prints its table, and writes it into the document
  local text=$work/$1.md
  {
    machine
    echo
    [[ ! -s $rows ]] || { atticbench table <"$rows"; echo; }
    cat "$notes"
  } >"$text"
  cat "$text"
  [[ -z $write ]] || atticbench splice docs/performance.md "$1" <"$text"
}

timed() { # name, command...: runs it; sets name_seconds, name_cpu (user + system seconds) and name_memory (peak, MB)
  local name=$1 figures
  shift
  /usr/bin/time -q -o "$work/time" -f '%e %U %S %M' "$@" >"$work/command.log" 2>&1 ||
    { tail -n 20 "$work/command.log" >&2; die "failed: $*"; }
  figures=$(<"$work/time")
  read -r "${name}_seconds" user system memory <<<"$figures"
  printf -v "${name}_cpu" '%s' "$(calculate "$user + $system")"
  printf -v "${name}_memory" '%s' "$(calculate "$memory / 1024")"
}

cpu_seconds() { awk -v tick="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($12 + $13) / tick }' "/proc/$1/stat"; } # pid
peak_memory() { awk '/^VmHWM/ { print $2 / 1024 }' "/proc/$1/status"; } # pid: MB

# CPU seconds of a process's threads by kind: "press 1.25". What is numbered (press-0, press-1) is added up.
thread_cpu() { # pid
  local task
  for task in "/proc/$1/task"/*; do
    printf '%s %s\n' "$(sed 's/-[0-9]*$//' "$task/comm")" "$(sed 's/.*) //' "$task/stat" | cut -d' ' -f12,13)"
  done 2>/dev/null | awk -v tick="$(getconf CLK_TCK)" '{ s[$1] += ($2 + $3) / tick } END { for (k in s) print k, s[k] }' | sort
}
thread_share() { # before, after (files of thread_cpu): "press 2.1 s, transfer 1.3 s"
  join -a 2 -e 0 -o 0,1.2,2.2 "$1" "$2" | awk '$3 - $2 >= 0.005 { printf "%s%s %.2f s", sep, $1, $3 - $2; sep = ", " } END { print "" }'
}

# --- Servers -----------------------------------------------------------------------------------------------------

free_port() {
  local port tries
  for ((tries = 0; tries < 100; tries++)); do
    # Below the range that the kernel gives out itself (32768 up).
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
  die 'no free port'
}

# Starts atticd on a new store below the working directory, with the caches "open" (public) and "closed" (private);
# sets atticd_pid, url, storage, token (may do everything) and pull_token. The commands in `pin` run it.
start_atticd() { # store's name; further lines for the configuration's head
  local port secret log=$work/atticd.log
  port=$(free_port)
  store=$work/$1
  storage=$store/storage
  url=http://127.0.0.1:$port
  if [[ ! -f $store/server.toml ]]; then
    mkdir -p "$store"
    secret=$(head -c 64 /dev/urandom | base64 -w0)
    printf '%s\n' "${@:2}" '[database]' "url = \"sqlite://$store/server.db\"" '[storage]' "path = \"$storage\"" \
      '[compression]' "level = $level" '[garbage-collection]' "interval = \"${collection_interval:-0}\"" '[jwt.signing]' "token-hs256-secret-base64 = \"$secret\"" >"$store/server.toml"
  fi
  atticd_started=$(now)
  ${pin:-} atticd -f "$store/server.toml" -l "127.0.0.1:$port" >"$log" 2>&1 &
  atticd_pid=$!
  local tries
  for ((tries = 0; tries < 6000; tries++)); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    kill -0 "$atticd_pid" 2>/dev/null || die 'atticd ended instead of listening'
    sleep 0.01
  done
  atticd_start_seconds=$(calculate "$(now) - $atticd_started")
  token=$(make_token --pull '*' --push '*' --create-cache '*' --configure-cache '*')
  pull_token=$(make_token --pull '*')
  create_cache open true
  create_cache closed false
}
make_token() { atticadm make-token -f "$store/server.toml" --sub bench --validity '1 day' "$@"; }
create_cache() { # name, public
  curl -sS -o /dev/null -X POST -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
    -d "{\"keypair\":\"Generate\",\"is_public\":$2,\"store_dir\":\"/nix/store\",\"priority\":41,\"upstream_cache_key_names\":[]}" \
    "$url/_api/v1/cache-config/$1"
}
cache_key() { curl -sS -H "Authorization: Bearer $token" "$url/_api/v1/cache-config/$1" | sed -n 's/.*"public_key":"\([^"]*\)".*/\1/p'; }

stop_atticd() {
  [[ -n $atticd_pid ]] || return 0
  kill -TERM "$atticd_pid" 2>/dev/null || true
  wait "$atticd_pid" 2>/dev/null || true
  atticd_pid=
}

# Sets nginx_pid (the worker's) and nginx_url. The commands in `pin` run it.
start_nginx() { # directory to serve, its access log (default: none)
  need nginx-light nginx
  local port
  port=$(free_port)
  nginx_url=http://127.0.0.1:$port
  mkdir -p "$work/nginx"
  cat >"$work/nginx/nginx.conf" <<CONF
$([[ $(id -u) != 0 ]] || echo 'user root;')
daemon off;
worker_processes 1;
pid $work/nginx/pid;
error_log $work/nginx/error.log crit;
events { worker_connections 4096; }
http {
  access_log ${2:-off};
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  open_file_cache max=100000 inactive=600s;
  open_file_cache_valid 600s;
  open_file_cache_errors on;
  default_type application/octet-stream;
  types { text/x-nix-narinfo narinfo; }
  client_body_temp_path $work/nginx; proxy_temp_path $work/nginx; fastcgi_temp_path $work/nginx;
  uwsgi_temp_path $work/nginx; scgi_temp_path $work/nginx;
  server { listen 127.0.0.1:$port backlog=4096; root $1; }
}
CONF
  ${pin:-} nginx -p "$work/nginx" -e "$work/nginx/error.log" -c "$work/nginx/nginx.conf" &
  nginx_master=$!
  local tries
  for ((tries = 0; tries < 500; tries++)); do
    nginx_pid=$(cat "/proc/$nginx_master/task/$nginx_master/children" 2>/dev/null | cut -d' ' -f1)
    [[ -n $nginx_pid ]] && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
    sleep 0.02
  done
  die 'nginx did not start'
}
stop_nginx() {
  [[ -n $nginx_pid ]] || return 0
  kill -TERM "$nginx_master" 2>/dev/null || true
  wait "$nginx_master" 2>/dev/null || true
  nginx_pid=
}
stop_all() { stop_atticd; stop_nginx; }

# --- What goes into the servers ----------------------------------------------------------------------------------

upload() { # cache, options of atticbench nar: makes that NAR and puts it; prints the server's answer
  make_nar "${@:2}" | upload_body "$(atticbench nar "${@:2}" --info "$1")"
}
# A server that has the NAR may answer before it has read it, and then nobody reads any more.
make_nar() { atticbench nar "$@" 2>/dev/null || true; }
upload_body() { # description: the NAR on standard input
  local answer
  answer=$(curl -sS -X PUT -T - -H "Authorization: Bearer $token" -H "X-Attic-Nar-Info: $1" "$url/_api/v1/upload-path")
  [[ $answer == *'"kind"'* ]] || die "the upload failed: $answer"
  printf '%s\n' "$answer"
}

# A description's store path hash.
hash_of() { sed -n 's/.*"store_path_hash":"\([^"]*\)".*/\1/p' <<<"$1"; }

# Copies what atticd answers to the paths in a file, for nginx: the very same bytes.
mirror() { # directory, file of paths
  local path
  while IFS= read -r path; do
    mkdir -p "$1/$(dirname "$path")"
    curl -sSf -o "$1/$path" -H "Authorization: Bearer $token" "$url$path" || die "cannot get $path"
  done <"$2"
}

stored_bytes() { find "$storage/packs" -type f -printf '%s\n' | awk '{ s += $1 } END { print s + 0 }'; }

# --- wrk ---------------------------------------------------------------------------------------------------------

# One load. Sets wrk_rate (requests a second), wrk_bytes (bytes a second), wrk_p50 (microseconds), wrk_errors, and the
# server's microseconds of CPU: wrk_cpu a request, wrk_cpu_megabyte a million bytes (what is under way at the end counts).
load() { # server's pid, base URL, file of paths, connections
  need wrk wrk
  local before after out
  before=$(cpu_seconds "$1")
  out=$(BENCH_PATHS=$3 BENCH_TOKEN=${load_token:-} ${load_pin:-} wrk -t 1 -c "$4" -d "${load_seconds:-$seconds}s" \
    -s scripts/bench.d/wrk.lua "$2" | sed -n 's/^FIGURES //p')
  after=$(cpu_seconds "$1")
  read -r wrk_requests wrk_seconds wrk_rate wrk_bytes wrk_p50 wrk_errors <<<"$out"
  [[ ${wrk_requests:-0} -gt 0 ]] || die "no request to $2 was answered"
  wrk_cpu=$(calculate "($after - $before) * 1e6 / $wrk_requests")
  wrk_cpu_megabyte=$(calculate "($after - $before) * 1e12 / ($wrk_bytes * $wrk_seconds)")
}

# Server on one core, client on the other, where there are two.
pin_to_cores() {
  pin='' load_pin=''
  (($(nproc) < 2)) || { pin='taskset -c 0' load_pin='taskset -c 1'; }
}
