#!/usr/bin/env bash
# Damage between rows and bytes, of each kind, planted by hand: packs that are gone, cut short or overwritten, rows whose bytes are not
# there, bytes whose rows are not there. What is sent whole meanwhile is right; fsck names what is wrong and what needs it, changes nothing
# unless told to, and repairs; the next push brings back what was lost; and then rows and bytes agree. On whatever foundation.sh has.
source "$(dirname "$0")/common.sh"

start_new_server
tetryx login local "$url" "$token" 2>/dev/null
tetryx cache create hello 2>/dev/null
tetryx use hello >/dev/null 2>&1
auth=(-H "Authorization: Bearer $token")

say 'making paths'
seq 1 300000 >numbers
path=$(nix-store --add "$work/numbers")
rm numbers
mapfile -t closure < <("$shell_dir/make-closure.sh" -n 6 -p mixed -s 84)
push() { tetryx push hello "$path" "${closure[-1]}" >push.log 2>&1 || die "the push failed: $(tail -n 5 push.log)"; }
push
name=${path#/nix/store/}
expect_status 'the narinfo' 200 "${auth[@]}" "$url/hello/${name%%-*}.narinfo"
nar=$url/hello/$(sed -n 's/^URL: //p' http-body)
expect_status 'the NAR' 200 "${auth[@]}" "$nar"
cp http-body whole
fsck 0 --verify-content

nobody=abababababababababababababababab # is the name of a pack
plant() { # kind of damage: where it is, as fsck says, is in $place
  local pack offset size
  read -r pack offset size < <(chunk "$path" middle)
  place=$(pack_location "$pack")
  case $1 in
    'a pack that is gone') remove_pack "$pack" ;;
    'a pack that is cut short') edit_pack "$pack" truncate -s $((offset + size / 2)) ;;
    'a chunk that is overwritten') edit_pack "$pack" overwrite $((offset + 20)) $((size - 20)) ;;
    'a chunk behind the end of its pack') sql "UPDATE chunk SET pack_offset = 1000000000000 WHERE pack_offset = $offset
      AND pack_id = (SELECT id FROM pack WHERE name = '$pack')" ;;
    'a chunk of a pack that is not there')
      place=$(pack_location $nobody)
      sql "INSERT INTO pack (name, byte_count, is_sealed) VALUES ('$nobody', 1000000, 1);
        UPDATE chunk SET pack_id = (SELECT id FROM pack WHERE name = '$nobody')
        WHERE pack_offset = $offset AND pack_id = (SELECT id FROM pack WHERE name = '$pack')"
      ;;
    'a NAR without chunks')
      place='should have '
      sql "DELETE FROM chunk_reference WHERE nar_id = (SELECT nar_id FROM object WHERE store_path = '$path')"
      ;;
    'the row of a pack, and nothing else')
      place='rows of pack'
      sql "INSERT INTO pack (name, byte_count, is_sealed) VALUES ('$nobody', 1000000, 1)"
      ;;
    'a pack without rows') place=$(pack_location $nobody) && plant_pack $nobody ;;
    *) die "nobody knows how to plant $1" ;;
  esac
}

# Whoever asks for the NAR gets all of it, or is told that it is not whole: never other bytes.
check_answer() { # what
  local status
  if status=$(curl -s -o answer -w '%{http_code}' "${auth[@]}" "$nar") && [[ $status == 200 ]]; then
    cmp -s whole answer || die "$1: wrong bytes were sent as if they were whole"
  fi
}

# Each pack has a row, and each row a pack.
check_agreement() { # what
  expect_equal "$1: packs by their rows, and as they are" "$(sql 'SELECT name FROM pack' | sort)" "$(packs | cut -d ' ' -f 2 | sort)"
}

check_pull() { # paths...
  local store
  store=$(mktemp -d -p "$work" store.XXXX)
  pull "$store" "$@" >pull.log 2>&1 || die "$kind: the pull failed: $(tail -n 5 pull.log)"
  verify_pulled "$store" "$@"
}

kinds=0
while IFS=: read -r -u 3 kind finding code options; do
  # shellcheck disable=SC2086
  set -- $options
  plant "$kind"
  fsck 7 --json "$@"
  expect_contains "$kind: what fsck says" "\"kind\":\"$finding\"" "$(cat fsck.log)"
  fsck 7 "$@"
  expect_contains "$kind: where fsck says it is" "$place" "$(cat fsck.log)"
  # Of many paths in one pack the first are named.
  [[ $code == 6 ]] || grep -qF -e "$path in hello" -e ' in hello and more' fsck.log || die "$kind: who needs it is not in $(cat fsck.log)"
  found=$(sed '$d' fsck.log)
  say "$kind: $(grep -m 1 -F "$place" fsck.log | cut -d ';' -f 1)"
  # Overwritten bytes are as long as they were: there Nix looks at the hash.
  [[ -n $options ]] || check_answer "$kind"
  fsck 7 --dry-run "$@"
  fsck 7 "$@"
  if [[ $found != "$(sed '$d' fsck.log)" ]]; then
    # A server marks what it finds damaged itself.
    expect_contains "$kind: what fsck says after a rehearsal" 'known to be damaged' "$(cat fsck.log)"
  fi
  fsck "$code" --repair "$@"
  if [[ $code == 7 ]]; then
    await_status 503 "${auth[@]}" "$nar"
    expect_contains "$kind: the answer" IncompleteNar "$(cat http-body)"
    fsck 7 --repair "$@"
    push
  fi
  fsck 0 --verify-content
  expect_status "$kind: the NAR that is back" 200 "${auth[@]}" "$nar"
  cmp whole http-body || die "$kind: what is back is not what was there"
  check_pull "$path"
  stop_server
  collect_garbage
  start_server
  if grep -q 'missing' "$server_log"; then die "$kind: the next start misses something: $(cat "$server_log")"; fi
  fsck 0 --verify-content
  check_agreement "$kind"
  kinds=$((kinds + 1))
done 3<<'KINDS'
a pack that is gone:pack-missing:7:
a pack that is cut short:pack-short:7:
a chunk that is overwritten:chunk-content:7:--verify-content
a chunk behind the end of its pack:pack-short:7:
a chunk of a pack that is not there:pack-missing:7:
a NAR without chunks:nar-references:7:
the row of a pack, and nothing else:unreachable:6:
a pack without rows:unnamed-file:6:
KINDS
kind='after all of them'
check_pull "$path" "${closure[@]}"
stop_server
say "$kinds kinds of damage: named, repaired, brought back; rows and bytes agree"
