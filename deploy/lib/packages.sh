# shellcheck shell=bash
# Debian packages. Sourced, never run.

# have_package NAME
have_package() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# need_packages NAME... - installs those that are missing; asks for nothing when all are there
need_packages() {
  local package
  local -a missing=()
  for package in "$@"; do have_package "$package" || missing+=("$package"); done
  [ ${#missing[@]} -gt 0 ] || return 0

  command -v apt-get >/dev/null || die "${missing[*]} missing, and this is not Debian or Ubuntu" \
    "Install the same by hand, or use Docker: docker compose --profile demo up --wait"
  say "Installing Debian packages: ${missing[*]}"
  local here
  here=$(dirname "${BASH_SOURCE[0]}")
  if is_root; then
    bash "$here/install-packages" "${missing[@]}"
  elif command -v sudo >/dev/null; then
    sudo bash "$here/install-packages" "${missing[@]}"
  else
    die "${missing[*]} missing, and neither root nor sudo to install with" "As root: apt-get install ${missing[*]}"
  fi
}
