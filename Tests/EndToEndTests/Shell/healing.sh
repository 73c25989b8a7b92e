#!/usr/bin/env bash
# What people do about damage, by every way in which they push: the first, the middle and the last chunk of a path cut off or
# overwritten, and its whole pack removed. Nothing of it is sent; a real Nix goes to the next cache; and the next push of the
# path, by tetryx or by plain Nix, brings it back: also where nobody but a pull has noticed.
source "$(dirname "$0")/common.sh"

say 'making paths'
seq 1 700000 >numbers
path=$(nix-store --add "$work/numbers")
rm numbers
hash=${path#/nix/store/}
hash=${hash%%-*}
mapfile -t tiny < <("$shell_dir/make-closure.sh" -n 12 -p tiny -s 96)
start_server
token=$(root_token)
tetryx login local "$url" "$token" 2>/dev/null
tetryx cache create hello 2>/dev/null
tetryx use hello >/dev/null 2>&1
auth=(-H "Authorization: Bearer $token")
# The cache that Nix is to ask next.
nix copy --to "file://$work/next" "$path" 2>copy.log || die "nix copy failed: $(cat copy.log)"

copy() { # compression
  nix_fresh nix copy --to "$url/hello?compression=$1" "$path" 2>copy.log || die "nix copy failed: $(tail -n 5 copy.log)"
}
push() { tetryx push hello "$@" >push.log 2>&1 || die "the push failed: $(cat push.log)"; }
damage() { # path, place, cut or overwritten or removed
  local pack offset size
  read -r pack offset size < <(chunk "$1" "$2")
  case $3 in
    cut) edit_pack "$pack" truncate -s $((offset + size / 2)) ;;
    overwritten) edit_pack "$pack" overwrite $((offset + 20)) $((size - 20)) ;;
    removed) remove_pack "$pack" ;;
  esac
}
nar_url() {
  expect_status 'the narinfo' 200 "${auth[@]}" "$url/hello/$hash.narinfo"
  printf '%s/hello/%s' "$url" "$(sed -n 's/^URL: //p' http-body)"
}
expect_pulls() { # what, paths...: from this server alone
  local store
  store=$(mktemp -d -p "$work" store.XXXX)
  pull "$store" "${@:2}" >pull.log 2>&1 || die "$1: the pull failed: $(tail -n 5 pull.log)"
  verify_pulled "$store" "${@:2}"
  atticadm fsck --verify-content >fsck.log 2>&1 || die "$1: fsck found: $(cat fsck.log)"
}
expect_next_cache() { # what, Nix's cache directory: Nix asks this server first, and gets the path from the next
  local store
  store=$(mktemp -d -p "$work" store.XXXX)
  XDG_CACHE_HOME=$2 nix-store --store "$store" -r "$path" --option substituters "$url/hello file://$work/next?trusted=1&priority=99" >pull.log 2>&1 ||
    die "$1: Nix does not go on with the next cache: $(tail -n 5 pull.log)"
  grep -q "copying path '$path' from 'file://" pull.log || die "$1: it did not come from the next cache: $(cat pull.log)"
  verify_pulled "$store" "$path"
}
expect_missing() { # what
  expect_status "$1: the narinfo" 404 "${auth[@]}" "$url/hello/$hash.narinfo"
  expect_status "$1: the head of the narinfo" 404 -I "${auth[@]}" "$url/hello/$hash.narinfo"
  expect_status "$1: many narinfos" 200 "${auth[@]}" --data-binary "$hash" "$url/hello/get-narinfos-v1"
  expect_equal "$1: many narinfos" '' "$(cat http-body)"
  expect_status "$1: missing paths" 200 "${auth[@]}" -H 'Content-Type: application/json' \
    --data-binary "{\"cache\":\"hello\",\"store_path_hashes\":[\"$hash\"]}" "$url/_api/v1/get-missing-paths"
  expect_equal "$1: missing paths" "{\"missing_paths\":[\"$hash\"]}" "$(cat http-body)"
}

copy xz
file=$(grep -o -m 1 'PUT /hello/nar/[^ ]*' "$server_log" || true)
for ((tries = 0; tries < 60; tries++)); do
  [[ -z $file ]] || break
  sleep 0.1
  file=$(grep -o -m 1 'PUT /hello/nar/[^ ]*' "$server_log" || true)
done
file=$url${file#PUT }
expect_pulls 'before any damage' "$path"
kinds=0
for kind in cut overwritten removed; do
  for place in first middle last; do
    for way in tetryx nix-zstd nix-none; do
      what="the $place chunk $kind, pushed by $way"
      # Somebody who knows the narinfo from before.
      before=$(mktemp -d -p "$work" nix-cache.XXXX)
      XDG_CACHE_HOME=$before nix path-info --store "$url/hello" "$path" >/dev/null 2>&1 || die 'nix path-info failed'
      nar=$(nar_url)
      expect_status "$what: before" 200 "${auth[@]}" "$nar"
      damage "$path" "$place" "$kind"
      if [[ $kind == overwritten ]]; then
        # Its size does not show it. A check makes it known, or whoever gets the NAR in another coding, as it was pushed.
        if [[ $way == nix-zstd ]]; then
          # Its first bytes are not sent before they are known to be right; a later one breaks the answer off.
          status=$(curl -s -o http-body -w '%{http_code}' "${auth[@]}" "$file") && [[ $status == 200 ]] &&
            die "$what: a wrong NAR was sent as if it were whole"
        else
          atticadm fsck --verify-content --repair >fsck.log 2>&1 && die "$what: fsck found nothing"
          grep -q "$path in hello" fsck.log || die "$what: fsck does not name the path: $(cat fsck.log)"
        fi
        await_status 503 "${auth[@]}" "$nar"
      else
        atticadm fsck >fsck.log 2>&1 && die "$what: fsck found nothing"
        grep -q "$path in hello" fsck.log || die "$what: fsck does not name the path: $(cat fsck.log)"
      fi
      expect_status "$what: all of it" 503 "${auth[@]}" "$nar"
      expect_contains "$what: the answer" IncompleteNar "$(cat http-body)"
      expect_status "$what: a part of it" 503 "${auth[@]}" -H 'Range: bytes=0-9' "$nar"
      expect_status "$what: as it was pushed" 503 "${auth[@]}" "$file"
      expect_missing "$what"
      if [[ $way == tetryx ]]; then
        expect_next_cache "$what, to who asks anew" "$(mktemp -d -p "$work" nix-cache.XXXX)"
        expect_next_cache "$what, to who knows it from before" "$before"
      fi
      case $way in
        tetryx) push "$path" ;;
        nix-*) copy "${way#nix-}" ;;
      esac
      expect_pulls "$what" "$path"
      kinds=$((kinds + 1))
    done
  done
done
say "$kinds kinds of damage: refused, named, brought back"

say 'a batch of small paths'
push "${tiny[-1]}"
for kind in cut overwritten removed; do
  damage "${tiny[3]}" first "$kind"
  damage "${tiny[8]}" first "$kind" 2>/dev/null || true
  atticadm fsck --verify-content --repair >fsck.log 2>&1 && die "$kind: fsck found nothing"
  logged=$(grep -c ' PUT /_api/v1/upload-paths 200' "$server_log" || true)
  push "${tiny[-1]}"
  for ((tries = 0; tries < 60; tries++)); do
    [[ $(grep -c ' PUT /_api/v1/upload-paths 200' "$server_log") == "$logged" ]] || break
    sleep 0.1
  done
  [[ $(grep -c ' PUT /_api/v1/upload-paths 200' "$server_log") != "$logged" ]] || die "$kind: no batch was sent"
  expect_pulls "a batch, $kind" "${tiny[@]}"
done

say 'damage that nobody knows of, met by a push of something else'
seq 300000 1000000 >more
more=$(nix-store --add "$work/more")
rm more
damage "$path" middle overwritten
push "$more"
expect_pulls 'a push that met damage' "$more" "$path"
stop_server
say 'every push brings back what was lost'
