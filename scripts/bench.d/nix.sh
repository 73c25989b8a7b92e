# Real store paths and what is done with them; sourced by the sections that need a Nix store.

prepare_nix() {
  command -v nix-store >/dev/null && [[ -d /nix/store && -f /nix/var/nix/db/db.sqlite ]] ||
    Tests/EndToEndTests/Shell/prepare-nix.sh || die 'there is no Nix; see Tests/EndToEndTests/Shell/prepare-nix.sh'
  command -v tetryx >/dev/null || die 'there is no tetryx beside atticd'
}

# Lists of store paths are kept from run to run, and made again where a path has gone.
kept_paths() { # file below the kept directory, command that prints paths
  local list=$kept/$1
  if [[ ! -s $list ]] || ! xargs nix-store --check-validity <"$list" 2>/dev/null; then
    say "making $1"
    "${@:2}" >"$list.new" && mv "$list.new" "$list" || die "cannot make $1"
  fi
  cat "$list"
}

# A closure, dependencies first; the last is its root.
closure() { # paths, profile, generation
  kept_paths "closure-$2-$1-$3" Tests/EndToEndTests/Shell/make-closure.sh -n "$1" -p "$2" -s 71 -g "$3"
}

# One path of files of this machine, in the order of their names, up to about 600 MB; less where there is less.
bulk_path() { kept_paths bulk make_bulk_path; }
make_bulk_path() {
  local tree=$work/bulk/bulk-1
  mkdir -p "$tree"
  { find /usr/lib /usr/share /opt -xdev -type f -size -40M -printf '%s %p\0' 2>/dev/null || true; } | LC_ALL=C sort -z -k2 |
    awk -v RS='\0' -v ORS='\0' '{ if (sum + $1 <= 600e6) { sum += $1; sub(/^[0-9]+ /, ""); print } }' |
    tar --null -cf - -T - -P 2>/dev/null | tar -C "$tree" --no-same-owner --transform 's,^/*,,' -xf -
  nix-store --add "$tree"
  rm -rf "$work/bulk"
}

# The unpacked wheels of some releases of one package, one path each, the oldest first.
wheel_paths() { kept_paths wheels make_wheel_paths; }
make_wheel_paths() {
  local release wheel
  for release in 1.26.0 1.26.1 1.26.2 1.26.3 1.26.4; do
    rm -rf "$work/wheel"
    mkdir -p "$work/wheel/numpy"
    python3 -m pip -q download --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.11 \
      --platform manylinux_2_17_x86_64 -d "$work/wheel" "numpy==$release" >&2 || return
    wheel=$(echo "$work/wheel"/*.whl)
    python3 -m zipfile -e "$wheel" "$work/wheel/numpy" || return
    nix-store --add "$work/wheel/numpy"
  done
}

nar_bytes() { nix-store -q --size "$@" | awk '{ s += $1 } END { print s }'; } # paths

# Logs in with a configuration of its own: each server has another port.
log_in() {
  XDG_CONFIG_HOME=$(mktemp -d -p "$work" config.XXXX)
  tetryx login bench "$url" "$token" >"$work/login.log" 2>&1 || die "tetryx login failed: $(<"$work/login.log")"
}

# Nix remembers what a cache has, for hours: every run has a memory of its own.
forget_caches() { XDG_CACHE_HOME=$(mktemp -d -p "$work" nix-cache.XXXX); }

copy_to_files() { # name, directory, paths: the reference of a push
  local name=$1
  forget_caches
  mkdir -p "$2"
  timed "$name" nix copy --no-check-sigs --to "file://$2?compression=zstd${copy_key:+&secret-key=$copy_key}" "${@:3}"
}

pull_into() { # name, substituter, its key, store directory, paths
  local name=$1
  forget_caches
  timed "$name" nix-store --store "$4" --option substituters "$2" --option trusted-public-keys "$3" -r "${@:5}"
}

# What the last round wrote must not be on its way to the disk while the next one is measured.
settle() { sync; }
