#!/usr/bin/env bash
# Makes the Nix of this machine (Debian's nix-bin 2.8 is enough) usable for the tests: a store that they may write
# to, no daemon, no cache on the network. A second run changes nothing. The tests bring their own nix.conf.
set -euo pipefail

say() { printf 'prepare-nix: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

command -v nix-store >/dev/null || fail 'there is no Nix; run scripts/setup --tests'

works() { NIX_REMOTE="$1" nix --extra-experimental-features nix-command store ping >/dev/null 2>&1; }

if [[ -S /nix/var/nix/daemon-socket/socket && ! -w /nix/store ]]; then
  works daemon || fail 'the Nix daemon does not answer; start it, or run this as root'
  say "ready: $(nix-store --version), by its daemon"
  exit
fi
if [[ ! -w /nix/store || ! -w /nix/var/nix ]]; then
  if [[ $(id -u) == 0 ]]; then
    mkdir -p /nix/store /nix/var/nix
  elif [[ ! -e /nix ]] && command -v sudo >/dev/null; then
    say 'making /nix, for you'
    sudo install -d -m 0755 -o "$(id -u)" -g "$(id -g)" /nix
    mkdir -p /nix/store /nix/var/nix
  else
    fail 'you may not write to /nix/store and no Nix daemon runs; run this as root, or start the daemon'
  fi
  chmod 1775 /nix/store
fi
[[ -f /nix/var/nix/db/db.sqlite ]] || NIX_REMOTE='' nix-store --init
works local || fail 'the store in /nix does not open: nix --extra-experimental-features nix-command store ping says why'
say "ready: $(nix-store --version)"
