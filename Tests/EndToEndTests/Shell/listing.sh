#!/usr/bin/env bash
# Nix lists and reads what is in a cache over HTTP, and our listings are those that Nix writes, byte for byte.
source "$(dirname "$0")/common.sh"

mapfile -t paths < <("$shell_dir/make-closure.sh" -n 12 -p mixed -s 83)
# Names that JSON has to escape, or that are no UTF-8, beside what every tree has.
mkdir -p odd/empty odd/sub/sub $'odd/q"uo\\te'
printf foo >odd/a
printf 'bar\n' >odd/run
chmod +x odd/run
: >odd/zero
ln -s ../x odd/link
ln -s $'t\x01"\xff' odd/badlink
printf x >$'odd/tab\tnl\nbell\a del\x7f'
printf y >$'odd/bad\xff\xfe'
printf z >odd/ü-名
echo deep >odd/sub/sub/file
odd=$(nix-store --add odd)
printf 'one file' >file
file=$(nix-store --add file)
# Large enough that its listing is kept: those of small paths are made when somebody asks.
mkdir -p many
for ((number = 0; number < 1500; number++)); do printf '%600s' "$number" >"many/file-$number"; done
many=$(nix-store --add many)
paths+=("$odd" "$file" "$many")
store_hash() { local name=${1#/nix/store/}; printf %s "${name%%-*}"; }

start_server
token=$(root_token)
tetryx login local "$url" "$token" 2>/dev/null
tetryx cache create hello 2>/dev/null
tetryx use hello >/dev/null 2>&1
tetryx push hello "${paths[@]}" >/dev/null 2>push.log || die "the push failed: $(cat push.log)"

nix copy --to "file://$work/files?write-nar-listing=true&compression=none" "${paths[@]}" 2>copy.log || die "nix copy failed: $(cat copy.log)"

expect_same_listings() { # cache
  local path hash
  for path in "${paths[@]}"; do
    hash=$(store_hash "$path")
    expect_status "the listing of $path" 200 -H "Authorization: Bearer $token" "$url/$1/$hash.ls"
    cmp http-body "files/$hash.ls" || die "the listing of $path is not the one that Nix writes"
    expect_status "the listing of $path, compressed" 200 --compressed -H "Authorization: Bearer $token" "$url/$1/$hash.ls"
    cmp http-body "files/$hash.ls" || die "the listing of $path is another when it is compressed"
  done
}
expect_same_listings hello
say "${#paths[@]} listings are those that Nix writes, the largest of $(wc -c <"files/$(store_hash "$many").ls") bytes"

# Nix 2.8 and all later ones read the NAR for this; what they print is what they print of the store itself.
for path in "${paths[@]}"; do
  nix_fresh nix store ls -lR --store "$url/hello" "$path" >remote 2>ls.log || die "nix store ls failed: $(cat ls.log)"
  nix store ls -lR --store local "$path" >local
  diff local remote >&2 || die "nix store ls tells another tree of $path"
done
for name in a run sub/sub/file $'bad\xff\xfe'; do
  nix_fresh nix store cat --store "$url/hello" "$odd/$name" >remote 2>cat.log || die "nix store cat failed: $(cat cat.log)"
  cmp remote "odd/$name" || die "nix store cat gives other bytes of $name"
done
# Its JSON of one path is the listing's root.
root=$(nix_fresh nix store ls --json -R --store "$url/hello" "$odd" 2>/dev/null)
expect_equal 'the JSON of nix store ls' "$(sed 's/^{"version":1,"root"://; s/}$//' "files/$(store_hash "$odd").ls" | od -c)" "$(printf %s "$root" | od -c)"

# Plain Nix sends its own with each path, before the narinfo; ours come from the NARs all the same.
tetryx cache create copied 2>/dev/null
tetryx use copied >/dev/null 2>&1
nix_fresh nix copy --to "$url/copied?compression=zstd&write-nar-listing=true" "${paths[@]}" 2>copy.log || die "nix copy failed: $(tail -n 5 copy.log)"
expect_same_listings copied
for path in "${paths[@]}"; do
  expect_status "the listing of $path again" 200 -X PUT -T "files/$(store_hash "$path").ls" -H "Authorization: Bearer $token" "$url/copied/$(store_hash "$path").ls"
done
expect_status 'the listing of another path' 400 -X PUT -T "files/$(store_hash "$many").ls" -H "Authorization: Bearer $token" \
  "$url/copied/$(store_hash "$odd").ls"
expect_contains 'the refusal of the listing' 'contradicts the NAR' "$(cat http-body)"
say 'those that plain Nix sends are taken where they are equal, and refused where not'

# A file's contents are where the listing says: a range of the NAR, uncompressed, is the file.
offset=$(grep -ao '"run":{[^}]*}' "files/$(store_hash "$odd").ls" | sed 's/.*"narOffset":\([0-9]*\).*/\1/')
nix-store --dump "$odd" | tail -c "+$((offset + 1))" | head -c 4 | cmp - odd/run || die 'narOffset is not where the file lies'
stop_server
say 'nix store ls and cat work over HTTP'
