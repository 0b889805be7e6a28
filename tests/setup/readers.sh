# shellcheck shell=bash
# The other readers our output is held against: dash, Python (python-dotenv, cryptography, an SMTP server) and Node's dotenv.
# Libraries live below target/test-tools: a clean clone works, and nothing global is touched.
# Sourced by tests/run, which sets $setup and $test_tools; defines functions only.
# shellcheck disable=SC2154

python_imports='import aiosmtpd, cryptography, dotenv; assert int(cryptography.__version__.split(".")[0]) >= 47'

python_works() { "$1" -c "$python_imports" >/dev/null 2>&1; }

# venv without ensurepip is how Debian ships it until python3-venv is installed.
python_can_venv() { have python3 && python3 -c 'import ensurepip, venv' >/dev/null 2>&1; }

find_python() {
  local venv=$test_tools/python/bin/python
  if [ -n "${KEYVAWLT_TEST_PYTHON:-}" ]; then
    python_works "$KEYVAWLT_TEST_PYTHON" ||
      fail "KEYVAWLT_TEST_PYTHON=$KEYVAWLT_TEST_PYTHON cannot import what the tests need" "see tests/setup/requirements.txt"
  elif python_works "$venv"; then
    export KEYVAWLT_TEST_PYTHON=$venv
  else
    return 1
  fi
}

make_python() {
  say "Python: making $test_tools/python"
  local log=$test_tools/python.log
  if ! { python3 -m venv --clear "$test_tools/python" &&
    "$test_tools/python/bin/python" -m pip install --disable-pip-version-check -r "$setup/requirements.txt"; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    fail "the Python environment could not be made (log: $log)" \
      "name a Python that has tests/setup/requirements.txt: KEYVAWLT_TEST_PYTHON=…" "or run what needs no Python: tests/run --embedded"
  fi
  find_python || fail "the Python environment lacks something (log: $log)"
}

node_works() { NODE_PATH=$2 "$1" -e 'require("dotenv").parse("A=1")' >/dev/null 2>&1; }

find_node() {
  local modules=$test_tools/node/node_modules
  if [ -n "${KEYVAWLT_TEST_NODE:-}" ]; then
    export KEYVAWLT_TEST_NODE_PATH=${KEYVAWLT_TEST_NODE_PATH:-$modules}
    node_works "$KEYVAWLT_TEST_NODE" "$KEYVAWLT_TEST_NODE_PATH" ||
      fail "KEYVAWLT_TEST_NODE=$KEYVAWLT_TEST_NODE finds no module dotenv in $KEYVAWLT_TEST_NODE_PATH"
  elif have node && node_works node "$modules"; then
    KEYVAWLT_TEST_NODE=$(command -v node)
    export KEYVAWLT_TEST_NODE KEYVAWLT_TEST_NODE_PATH=$modules
  else
    return 1
  fi
}

make_node() {
  say "Node: installing dotenv into $test_tools/node"
  local log=$test_tools/node.log
  mkdir -p "$test_tools/node"
  cp "$setup/node/package.json" "$test_tools/node/package.json"
  if ! npm install --prefix "$test_tools/node" --no-audit --no-fund --no-package-lock >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    fail "npm could not install dotenv (log: $log)" \
      "name what you have: KEYVAWLT_TEST_NODE=… KEYVAWLT_TEST_NODE_PATH=…/node_modules" "or run what needs no Node: tests/run --embedded"
  fi
  find_node || fail "Node finds no dotenv in $test_tools/node (log: $log)"
}
