# shellcheck shell=bash
# What the other files here share with the machine: messages, and Debian packages when root may install them.
# Sourced by tests/run; defines functions only.

say() { printf 'tests/run: %s\n' "$*" >&2; }

fail() {
  printf 'tests/run: error: %s\n' "$1" >&2
  shift
  local line
  for line in "$@"; do printf '  %s\n' "$line" >&2; done
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

may_install() { [ "$(id -u)" = 0 ] && have apt-get; }

# One apt-get call for everything that is missing, so that the package lists are fetched once.
install_packages() {
  say "installing Debian packages as root: $*"
  local log
  log=$(mktemp "${TMPDIR:-/tmp}/keyvawlt-apt.XXXXXX")
  export DEBIAN_FRONTEND=noninteractive
  if ! { apt-get update && apt-get install -y --no-install-recommends "$@"; } >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    fail "apt-get could not install: $*" "the whole output is in $log" "--embedded runs what needs none of them"
  fi
  rm -f "$log"
}
