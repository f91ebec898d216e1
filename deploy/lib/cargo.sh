# shellcheck shell=bash
# Finding and using the Rust toolchain. Sourced, never run.

# as_caller SCRIPT ARG... - called through sudo by the owner of this clone: goes on as that person, whose toolchain it is and
# to whom the built files should belong. What needs root is installed first.
as_caller() {
  local owner home
  owner=$(stat -c %U "$(dirname "$1")")
  if ! is_root || [ "${SUDO_USER:-root}" = root ] || [ "$SUDO_USER" != "$owner" ]; then return 0; fi
  need_packages "${PACKAGES[@]}"
  home=$(getent passwd "$owner" | cut -d: -f6)
  exec setpriv --reuid="$owner" --regid="$(id -g "$owner")" --init-groups \
    env -u SUDO_USER -u XDG_STATE_HOME HOME="$home" USER="$owner" LOGNAME="$owner" "$@"
}

# find_cargo - puts cargo into PATH; rustup's installer only does so for new shells
find_cargo() {
  local dir
  if command -v cargo >/dev/null; then return 0; fi
  for dir in "${CARGO_HOME:-}/bin" "$HOME/.cargo/bin" /usr/local/cargo/bin; do
    if [ -x "$dir/cargo" ]; then
      PATH=$dir:$PATH
      return 0
    fi
  done
  die "no Rust toolchain: cargo is neither in PATH nor in ~/.cargo/bin" "Install one from https://rustup.rs"
}

# A linker, the C headers for it, and certificates for fetching crates.
build_packages() {
  command -v cc >/dev/null || printf '%s\n' gcc libc6-dev
  [ -s /etc/ssl/certs/ca-certificates.crt ] || printf 'ca-certificates\n'
}
