#!/usr/bin/env bash
# A disk of 64 MB that a push fills: what client and operator are told, that nothing of it is kept, that all else goes on, and
# that the same server takes the same push when there is room. Then a disk without a free byte, on which a collection makes
# room; the database's disk full and the chunks' not, and the other way round; and a file system that becomes read-only.
#
# The disks are file systems in memory (tmpfs), in a mount namespace of this script's own: as root, or in a user namespace.
shell_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [[ -z ${TETRYX_OWN_MOUNTS:-} ]]; then
  export TETRYX_OWN_MOUNTS=1
  for flags in -m -Urm; do
    if unshare $flags --propagation private mount -t tmpfs tmpfs /mnt 2>/dev/null; then
      exec unshare $flags --propagation private "$0" "$@"
    fi
  done
  printf 'full-disk: SKIPPED: this user may mount nothing here, neither as root nor in a user namespace\n' >&2
  [[ ${CI:-} != true ]]
  exit
fi
source "$shell_dir/common.sh"

finish_with_disks() {
  local status=$?
  set +e
  [[ -z $server_pid ]] || kill_server
  umount -l "$XDG_DATA_HOME" "$work/database" "$work/storage" 2>/dev/null
  return "$status"
}
trap 'finish_with_disks; finish' EXIT
disk() { # megabytes, directory: an empty disk there
  mkdir -p "$2"
  mount -t tmpfs -o "size=${1}m,mode=0700" tmpfs "$2"
}
fill() { # directory: takes what is left of its disk, to the last byte
  dd if=/dev/zero of="$1/filler" bs=64K status=none 2>/dev/null || true
  dd if=/dev/zero of="$1/filler-2" bs=1 count=8192 status=none 2>/dev/null || true
  [[ $(df --output=avail -B1 "$1" | tail -n 1) -eq 0 ]] || die "$1 could not be filled"
}
await_room() { # directory, bytes: what another process removed is free when the server has let go of it
  for ((tries = 0; tries < 100; tries++)); do
    (($(df --output=avail -B1 "$1" | tail -n 1) < $2)) || return 0
    sleep 0.1
  done
  die "$1 has no room of $2 bytes: $(df -B1 "$1" | tail -n 1)"
}
unfill() { rm -f "$1/filler" "$1/filler-2"; }
pack_bytes_of() { storage=$1 pack_bytes; } # the storage's directory
used() { df --output=used -B1 "$1" | tail -n 1 | tr -d ' '; }
noise() { # megabytes, number: a store path of bytes that cannot be compressed, the same each time
  openssl enc -aes-128-ctr -K "$(printf '%032x' "$2")" -iv 00000000000000000000000000000000 </dev/zero 2>/dev/null |
    head -c $(($1 << 20)) >"noise-$1-$2" || true
  nix-store --add "$work/noise-$1-$2"
  rm "noise-$1-$2"
}
hash_of() { local name=${1#/nix/store/}; printf '%s' "${name%%-*}"; }
new_server() { # atticd's arguments
  start_server "$@"
  tetryx login local "$url" "$(root_token)" 2>/dev/null
  tetryx cache create hello 2>/dev/null
  tetryx use hello >/dev/null 2>&1
  token=$(sed -n 's/^token = "\(.*\)"/\1/p' "$XDG_CONFIG_HOME/tetryx/config.toml")
}
expect_pulls() { # paths
  local store
  store=$(mktemp -d -p "$work" store.XXXX)
  pull "$store" "$@" >pull.log 2>&1 || die "the pull failed: $(tail -n 5 pull.log)"
  NIX_REMOTE='' nix-store --store "$store" --verify-path "$@" || die 'nix-store --verify-path found damage'
  chmod -R u+w "$store"
  rm -rf "$store"
}
expect_full() { # path: its push is refused as it should be, by the wire, tetryx, plain Nix and the log
  local nar=$work/put.nar hash size lines
  nix-store --dump "$1" >"$nar"
  hash=$(sha256sum "$nar" | cut -d ' ' -f 1) size=$(stat -c %s "$nar")
  expect_status "the push of $1" 507 -T "$nar" -H "Authorization: Bearer $token" -H 'Expect:' -H \
    "X-Attic-Nar-Info: {\"cache\":\"hello\",\"store_path_hash\":\"$(hash_of "$1")\",\"store_path\":\"$1\",\"references\":[],\"sigs\":[],\"nar_hash\":\"sha256:$hash\",\"nar_size\":$size}" \
    "$url/_api/v1/upload-path"
  expect_contains 'the answer' '"error":"StorageFull"' "$(cat http-body)"
  expect_contains 'the answer' 'disk is full: nothing of this request was kept' "$(cat http-body)"
  say "the answer: HTTP 507 $(cat http-body)"
  rm "$nar"
  expect_failure 'the push by tetryx' tetryx push hello "$1"
  expect_contains 'what tetryx says' 'disk is full' "$output"
  say "tetryx: $(grep -m 1 'disk is full' <<<"$output")"
  expect_failure 'the push by plain Nix' nix_fresh nix copy --to "$url/hello?compression=none" "$1"
  expect_contains 'what Nix says' '413' "$output"
  lines=$(grep -cE 'storage: cannot .*no space is left|database: cannot .*make room' "$server_log" || true)
  ((lines > 0)) || die 'the log does not say that the disk is full'
  say "the log: $(grep -m 1 -E 'no space is left|make room' "$server_log")"
}
fsck_clean() { # what
  atticadm fsck --verify-content "${@:2}" >fsck.log 2>&1 || die "$1: fsck found: $(cat fsck.log)"
}

say 'making paths'
large=$(noise 40 1)
mapfile -t parts < <(for i in 2 3 4; do noise 14 "$i"; done)
mapfile -t small < <("$shell_dir/make-closure.sh" -n 6 -p tiny -s 95)

say 'a disk of 64 MB that a push fills'
disk 64 "$XDG_DATA_HOME"
new_server
tetryx push hello "${small[-1]}" >push.log 2>&1 || die "the push failed: $(cat push.log)"
dd if=/dev/zero of="$XDG_DATA_HOME/other" bs=1M count=34 status=none
before=$(used "$XDG_DATA_HOME")
expect_full "$large"
after=$(used "$XDG_DATA_HOME")
((after - before <= 2 << 20)) || die "of what was refused $((after - before)) bytes are still there"
expect_status 'the narinfo of what was refused' 404 -H "Authorization: Bearer $token" "$url/hello/$(hash_of "$large").narinfo"
say 'pulls go on without a free byte'
fill "$XDG_DATA_HOME"
expect_pulls "${small[@]}"
say 'there is room, and the same server takes the same push'
unfill "$XDG_DATA_HOME"
rm "$XDG_DATA_HOME/other"
tetryx push hello "$large" >push.log 2>&1 || die "the push failed: $(cat push.log)"
expect_pulls "$large" "${small[@]}"
fsck_clean 'after the full disk'

say 'a collection on a disk without a free byte'
tetryx cache destroy hello --no-confirm >/dev/null 2>&1
collect_garbage
await_room "$XDG_DATA_HOME" $((44 << 20))
tetryx cache create hello 2>/dev/null
tetryx use hello >/dev/null 2>&1
for part in "${parts[@]}"; do tetryx push hello "$part" >push.log 2>&1 || die "the push failed: $(cat push.log)"; done
fill "$XDG_DATA_HOME"
expect_full "$large"
tetryx cache configure hello --retention-period 1s >/dev/null 2>&1 || die 'the cache could not be configured on a full disk'
sleep 1.1
collect_garbage
say "collected: $(tail -n 1 collect.log)"
await_room "$XDG_DATA_HOME" $((41 << 20))
tetryx cache configure hello --retention-period 1y >/dev/null 2>&1
tetryx push hello "$large" >push.log 2>&1 || die "after the collection the push failed: $(cat push.log)"
expect_pulls "$large"
unfill "$XDG_DATA_HOME"
fsck_clean 'after the collection on a full disk'
stop_server
umount "$XDG_DATA_HOME"

for full in database storage; do
  say "only the disk of the $full is full"
  rm -rf "$XDG_CONFIG_HOME/tetryx"
  disk 64 "$work/database"
  disk 64 "$work/storage"
  mkdir -p "$XDG_CONFIG_HOME/tetryx"
  cat >"$XDG_CONFIG_HOME/tetryx/server.toml" <<CONF
[database]
url = "sqlite://$work/database/server.db"
[storage]
type = "local"
path = "$work/storage/packs"
[jwt.signing]
token-hs256-secret-base64 = "$(head -c 32 /dev/urandom | base64 -w 0)"
CONF
  start_server
  token=$(atticadm make-token --sub root --validity '1 day' --pull '*' --push '*' --create-cache '*' --configure-cache '*' --configure-cache-retention '*' --destroy-cache '*')
  tetryx login local "$url" "$token" 2>/dev/null
  tetryx cache create hello 2>/dev/null
  tetryx use hello >/dev/null 2>&1
  tetryx push hello "${small[-1]}" >push.log 2>&1 || die "the push failed: $(cat push.log)"
  fill "$work/$full"
  if [[ $full == storage ]]; then
    expect_full "$large"
  else
    # What the log has room for is still taken; without end it is not.
    refused=
    for ((number = 0; number < 400; number++)); do
      seq $((number * 1000)) $((number * 1000 + 900)) >some
      path=$(nix-store --add "$work/some")
      if ! tetryx push hello "$path" >push.log 2>&1; then refused=$path; break; fi
    done
    [[ -n $refused ]] || die 'a database without room takes everything'
    say "refused after $number pushes"
    before=$(pack_bytes_of "$work/storage/packs")
    expect_full "$refused"
    expect_equal 'the bytes in packs after what was refused' "$before" "$(pack_bytes_of "$work/storage/packs")"
  fi
  expect_pulls "${small[@]}"
  unfill "$work/$full"
  tetryx push hello "$large" "${refused:-${small[-1]}}" >push.log 2>&1 || die "with room again the push failed: $(cat push.log)"
  expect_pulls "$large" "${small[@]}"
  fsck_clean "the disk of the $full"
  stop_server
  umount "$work/database" "$work/storage"
done
say 'a full disk refuses what does not fit, and nothing else'
