# shellcheck shell=bash
# A browser that shows every mail: Chromium, as Debian packages it, without a display.
# Sourced by tests/run, which sources system.sh before; defines functions only.

find_browser() {
  local candidate
  if [ -n "${KEYVAWLT_TEST_CHROMIUM:-}" ]; then
    have "$KEYVAWLT_TEST_CHROMIUM" || fail "KEYVAWLT_TEST_CHROMIUM=$KEYVAWLT_TEST_CHROMIUM is no program"
    return 0
  fi
  for candidate in chromium chromium-browser google-chrome; do
    if have "$candidate"; then
      KEYVAWLT_TEST_CHROMIUM=$(command -v "$candidate")
      export KEYVAWLT_TEST_CHROMIUM
      return 0
    fi
  done
  return 1
}
