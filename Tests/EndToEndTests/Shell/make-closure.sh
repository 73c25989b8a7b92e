#!/usr/bin/env bash
# Makes N realistic Nix store paths that refer to one another, with no nixpkgs and no network, and
# prints them, one a line, dependencies first: the last line is the root, whose closure is all of them.
#
#   make-closure.sh [-n N] [-p tiny|mixed|big] [-s SEED] [-g GENERATION] [-q]
#
#   -n N           number of paths (default 8)
#   -p PROFILE     tiny   a few files of 100 bytes to 8 KiB each (paths of 1-40 KiB): many-paths tests
#                  mixed  tiny ones, plus the files of Debian packages installed here (default)
#                  big    mixed, plus one path of about 200 MB and one of about 60 MB
#   -s SEED        other contents, so other store paths (default 1); the same seed gives the same paths
#                  on the same machine
#   -g GENERATION  rebuild as after a change in the bottom dependency (default 1): every store path is
#                  new, nearly all bytes are the same, which is what a chunk store should find
#   -q             print the root only
#
# What the paths hold: ELF executables and libraries, executable scripts that name their dependencies'
# store paths (real references found by Nix's scanner), relative, absolute and dangling symlinks, empty
# files and directories, names with spaces, dots and UTF-8, many small files. Path 1 is content-addressed
# (nix-store --add, has a CA field and no deriver); every third path refers to itself.
#
# Needs: prepare-nix.sh run before (a /nix/store to write to). Honours NIX_CONF_DIR and NIX_REMOTE.
set -euo pipefail

n=8 profile=mixed seed=1 gen=1 quiet=
while getopts n:p:s:g:q opt; do
  case $opt in
    n) n=$OPTARG ;;
    p) profile=$OPTARG ;;
    s) seed=$OPTARG ;;
    g) gen=$OPTARG ;;
    q) quiet=1 ;;
    *) sed -n '2,23s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
done
[[ $n =~ ^[0-9]+$ && $n -ge 1 ]] || { echo 'make-closure: -n wants a number from 1 up' >&2; exit 2; }
[[ $profile =~ ^(tiny|mixed|big)$ ]] || { echo 'make-closure: -p wants tiny, mixed or big' >&2; exit 2; }
[[ $seed =~ ^[0-9]+$ && $gen =~ ^[0-9]+$ ]] || { echo 'make-closure: -s and -g want numbers' >&2; exit 2; }
command -v nix-store >/dev/null || { echo 'make-closure: no Nix: run prepare-nix.sh first' >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Path 1: content-addressed, the bottom dependency. A generation changes this one only.
mkdir -p "$work/base-$seed"/{bin,etc,share/empty-dir}
cat >"$work/base-$seed/bin/say" <<SAY
#!/bin/sh
# generation $gen
exec echo "base seed $seed generation $gen: \$*"
SAY
chmod 755 "$work/base-$seed/bin/say"
printf 'seed = %s\n' "$seed" >"$work/base-$seed/etc/base.conf"
ln -s say "$work/base-$seed/bin/tell"
: >"$work/base-$seed/share/empty-file"
base=$(nix-store --add "$work/base-$seed")

# What a package path copies: whole Debian packages installed here, smallest first, so that 'mixed'
# spreads from a few KiB to some MB. The list is fixed by the machine's packages and the seed.
package_files() { # package number -> the package's files, NUL-separated (regular files and symlinks)
  dpkg-query -L "$1" 2>/dev/null | while IFS= read -r f; do
    [[ ( -f $f || -L $f ) && ! -d $f ]] && printf '%s\0' "$f"
  done
}
mapfile -t packages < <(
  dpkg-query -W -f '${Installed-Size} ${db:Status-Status} ${Package}\n' |
    awk '$2 == "installed" && $1 >= 60 && $1 <= 30000 { print $1, $3 }' | sort -k1n -k2 | awk '{ print $2 }'
)
# Two large trees for 'big': the Python library here and one large directory of binaries.
big_tree() { # 1|2 -> a directory
  local d
  if [[ $1 == 1 ]]; then
    for d in "$(python3 -c 'import sysconfig; print(sysconfig.get_paths()["stdlib"])' 2>/dev/null)" /usr/share; do
      [[ -d $d ]] && { printf '%s\n' "$d"; return; }
    done
  else
    for d in /usr/lib/gcc /usr/lib/x86_64-linux-gnu /usr/lib; do
      [[ -d $d ]] && { printf '%s\n' "$d"; return; }
    done
  fi
}
copy_capped() { # source-dir dest max-bytes: whole files in name order until the cap
  local list=$work/list
  (cd "$1" && find . \( -type f -o -type l \) -printf '%s %p\0' 2>/dev/null | LC_ALL=C sort -z -k2 |
    awk -v RS='\0' -v ORS='\0' -v cap="$3" '{ if (s + $1 <= cap) { s += $1; sub(/^[0-9]+ /, ""); print } }') >"$list"
  mkdir -p "$2"
  (cd "$1" && tar --null -cf - --no-recursion -T "$list" --ignore-failed-read 2>/dev/null) |
    tar -C "$2" --no-same-owner -xf -
}

expr=$work/closure.nix
cat >"$work/builder.sh" <<'BUILDER'
mkdir -p "$out"
if [ -n "${src:-}" ]; then
  cp -R --preserve=mode,links "$src/." "$out/"
  chmod -R u+w "$out"
fi
mkdir -p "$out/bin" "$out/nix-support"
# One small executable that really names its dependencies, as Nix's own wrappers do.
{
  echo '#!/bin/sh'
  for d in $deps; do echo "PATH=$d/bin:\$PATH"; done
  echo "exec $base/bin/say $name \"\$@\""
} >"$out/bin/run-$name"
chmod 755 "$out/bin/run-$name"
[ -z "$deps" ] || echo "$deps" >"$out/nix-support/propagated-build-inputs"
for d in $deps; do
  b=${d##*/}
  ln -sfn "$d" "$out/nix-support/dep-${b#*-}"
done
[ -z "$self" ] || printf 'prefix=%s\n' "$out" >"$out/nix-support/self.pc"
if [ "$odd" = 1 ]; then
  mkdir -p "$out/share/odd names" "$out/share/empty"
  printf 'x' >"$out/share/odd names/with space"
  printf 'x' >"$out/share/odd names/naïve-Ünïcode-名"
  printf 'x' >"$out/share/odd names/UPPER"
  : >"$out/share/odd names/.hidden-empty"
  ln -s ../../does/not/exist "$out/share/odd names/dangling"
  ln -s "$out/bin" "$out/share/odd names/absolute"
fi
# Small files: $small of them, sizes 100 bytes to 8 KiB; contents are fixed by number and seed only and
# compress about as well as source text does.
if [ "$small" -gt 0 ]; then
  mkdir -p "$out/share/doc"
  LC_ALL=C awk -v small="$small" -v seed="$seed" -v number="$number" -v dir="$out/share/doc" '
    function next_random() { state = (state * 16807) % 2147483647; return state }
    BEGIN {
      state = (seed * 104729 + number * 7919) % 2147483646 + 1
      for (w = 0; w < 400; w++) {
        word[w] = ""
        for (c = next_random() % 8 + 2; c > 0; c--) word[w] = word[w] sprintf("%c", 97 + next_random() % 26)
      }
      for (i = 0; i < small; i++) {
        size = next_random() % 8092 + 100
        text = ""
        while (length(text) < size) text = text word[next_random() % 400] (next_random() % 9 ? " " : "\n")
        printf "%s", substr(text, 1, size) >(dir "/file-" i ".txt")
        close(dir "/file-" i ".txt")
      }
    }'
fi
BUILDER

{
  echo 'let'
  echo "  base = builtins.storePath $base;"
  echo "  mk = a: derivation ({ system = builtins.currentSystem; builder = \"/bin/sh\"; args = [ \"-eu\" $work/builder.sh ];"
  echo '    PATH = "/usr/bin:/bin"; inherit base; LC_ALL = "C.UTF-8"; } // a);'
  list='base'
  for ((i = 2; i <= n; i++)); do
    src='' small=$((i % 5 + 1)) kind=tiny
    if [[ $profile != tiny ]]; then
      case $((i % 4)) in
        1 | 3) kind=package ;;
        0) kind=tiny small=40 ;;
      esac
    fi
    if [[ $profile == big ]]; then
      ((i == n)) && ((n > 3)) && kind=big1
      ((i == n - 1)) && ((n > 3)) && kind=big2
    fi
    name="tool$i-$seed"
    case $kind in
      package)
        # Spread over the sizes: large steps through the list, which is sorted by size.
        p=${packages[$(((i * 997 + seed * 101) % ${#packages[@]}))]}
        name="$p-$seed"
        mkdir -p "$work/src-$i/$name"
        package_files "$p" | tar --null -cf - -T - --no-recursion --transform 's,^/*usr/,,' -P \
          --ignore-failed-read 2>/dev/null | tar -C "$work/src-$i/$name" --no-same-owner -xf - 2>/dev/null || true
        ;;
      big1) name="runtime-$seed"; copy_capped "$(big_tree 1)" "$work/src-$i/$name" 200000000 ;;
      big2) name="toolchain-$seed"; copy_capped "$(big_tree 2)" "$work/src-$i/$name" 60000000 ;;
    esac
    name=${name//[^a-zA-Z0-9+._?=-]/-}
    if [[ $kind != tiny ]]; then
      src=$(nix-store --add "$work/src-$i/$name")
      rm -rf "${work:?}/src-$i"
    fi
    # Dependencies: the path before, and one or two earlier ones; the root depends on all that nothing needs.
    deps="p$((i - 1))"
    ((i == 2)) && deps=''
    ((i > 4)) && deps+=" p$((i / 2))"
    ((i > 9)) && deps+=" p$((i / 3))"
    self=''; ((i % 3 == 0)) && self=1
    odd=0; ((i % 4 == 2)) && odd=1
    echo "  p$i = mk { name = \"$name\"; number = $i; seed = $seed; small = $small; odd = $odd; self = \"$self\";"
    echo "    deps = [ base $deps ];${src:+ src = builtins.storePath $src;} };"
    list+=" p$i"
  done
  echo "in [ $list ]"
} >"$expr"

if ((n == 1)); then
  printf '%s\n' "$base"
  exit
fi
sed -i 's/^in \[ base/in [/' "$expr"
nix-build --no-out-link "$expr" >"$work/out" 2>"$work/log" || { tail -30 "$work/log" >&2; exit 1; }
if [[ -n $quiet ]]; then tail -1 "$work/out"; else printf '%s\n' "$base"; cat "$work/out"; fi
