#!/usr/bin/env bash
# One large NAR goes in by PUT, in chunks and with Content-Length, and comes out by GET; the server's memory stays small.
#
#   put-large.sh [MEBIBYTES]     default 256; "put-large.sh 3072" for 3 GiB
source "$(dirname "$0")/common.sh"
mebibytes=${1:-256}
size=$((mebibytes << 20))

number() { # as a NAR has it: 8 bytes, little end first
  local n=$1 i
  for ((i = 0; i < 8; i++)); do printf '%b' "$(printf '\\x%02x' $((n & 255)))"; ((n >>= 8)) || true; done
}
text() { # a string of a NAR
  number ${#1}
  printf '%s' "$1"
  head -c $(((8 - ${#1} % 8) % 8)) /dev/zero
}
nar() { # a file of noise, always the same; its size is a multiple of 8
  text nix-archive-1 && text '(' && text type && text regular && text contents && number $size
  openssl enc -aes-128-ctr -K 00112233445566778899aabbccddeeff -iv 00000000000000000000000000000000 </dev/zero 2>/dev/null |
    head -c $size || true
  text ')'
}
base32() { nix-hash --type sha256 --to-base32 "$1"; }
peak() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$server_pid/status"; }

start_server
token=$(root_token)
tetryx login local "$url" "$token" 2>/dev/null
tetryx cache create hello 2>/dev/null
credentials="Authorization: Bearer $token"

say "a NAR of $mebibytes MiB"
nar_hash=$(nar | sha256sum | cut -d' ' -f1)
nar_size=$(nar | wc -c)
zst_hash=$(nar | zstd -1 -c | sha256sum | cut -d' ' -f1)
zst_size=$(nar | zstd -1 -c | wc -c)

put() { # what, name below nar/, curl's arguments; the file on standard input
  local began
  began=$(date +%s.%N)
  expect_status "$1" 201 -X PUT -H "$credentials" -H 'Expect: 100-continue' "${@:3}" -T - "$url/hello/nar/$2"
  say "$1: $(seconds_since "$began") s, $(pack_bytes) bytes stored, at most $(($(peak) / 1024)) MiB in the server"
}
nar | put 'in chunks' "$(base32 "$nar_hash").nar"
stored=$(pack_bytes)
nar | zstd -1 -c | put 'with Content-Length, as zstd' "$(base32 "$zst_hash").nar.zst" -H "Content-Length: $zst_size" -H 'Transfer-Encoding:'
expect_equal 'the packs after the second' "$stored" "$(pack_bytes)"

began=$(date +%s.%N)
expect_equal 'the NAR under the name that it came by' "$nar_hash" "$(curl -sf -H "$credentials" "$url/hello/nar/$(base32 "$nar_hash").nar" | sha256sum | cut -d' ' -f1)"
say "came back uncompressed in $(seconds_since "$began") s; at most $(($(peak) / 1024)) MiB in the server"

path=0000000000000000000000000000000a-large
cat >narinfo <<INFO
StorePath: /nix/store/$path
URL: nar/$(base32 "$zst_hash").nar.zst
Compression: zstd
FileHash: sha256:$(base32 "$zst_hash")
FileSize: $zst_size
NarHash: sha256:$(base32 "$nar_hash")
NarSize: $nar_size
References: 
INFO
expect_status 'the narinfo' 201 -X PUT -H "$credentials" -T narinfo "$url/hello/${path%%-*}.narinfo"
expect_status 'the narinfo as it is served' 200 -H "$credentials" "$url/hello/${path%%-*}.narinfo"
nar_url=$(sed -n 's/^URL: //p' http-body)
began=$(date +%s.%N)
expect_equal 'the NAR that came back' "$nar_hash" "$(curl -sf -H "$credentials" "$url/hello/$nar_url" | zstd -dc | sha256sum | cut -d' ' -f1)"
say "came back in $(seconds_since "$began") s; at most $(($(peak) / 1024)) MiB in the server"
(($(peak) < 150000)) || die 'that is more than 150 MB'
stop_server
