# shellcheck shell=bash
# A PostgreSQL for the tests: one that runs already and is named, or a throw-away one from the installed binaries.
# The throw-away server listens on loopback behind a random password, keeps nothing safe (no fsync) and is gone afterwards.
# Sourced by tests/run; defines functions only.

postgres_dir=""
postgres_bin=""

# Newest first. Debian keeps the server's programs out of PATH.
find_postgres() {
  local candidate
  for candidate in "${KEYVAWLT_TEST_POSTGRES_BIN:-}" $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV) \
    "$(pg_config --bindir 2>/dev/null || true)" "$(dirname "$(command -v initdb || echo /nowhere/initdb)")"; do
    if [ -n "$candidate" ] && [ -x "$candidate/initdb" ] && [ -x "$candidate/pg_ctl" ] && [ -x "$candidate/postgres" ]; then
      postgres_bin=$candidate
      return 0
    fi
  done
  return 1
}

# A named server that does not answer would fail every test one by one: say it once instead.
check_named_postgres() {
  local rest host port
  rest=${KEYVAWLT_TEST_POSTGRES#*://}
  rest=${rest##*@}
  rest=${rest%%[/?]*}
  case $rest in
    "") return 0 ;; # host in the query part: a Unix socket, left to the driver
    \[*\]:*) host=${rest%]:*} host=${host#\[} port=${rest##*]:} ;;
    \[*\]) host=${rest#\[} host=${host%\]} port=5432 ;;
    *:*) host=${rest%:*} port=${rest##*:} ;;
    *) host=$rest port=5432 ;;
  esac
  port_answers "$host" "$port" ||
    fail "KEYVAWLT_TEST_POSTGRES names $host:$port, and nothing answers there" "start it, or unset the variable for a throw-away server"
}

# shellcheck disable=SC2016 # the inner bash expands its own arguments
port_answers() { timeout 3 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" 2>/dev/null; }

start_postgres() {
  local password port attempt
  postgres_dir=$(mktemp -d "${TMPDIR:-/tmp}/keyvawlt-postgres.XXXXXX")
  password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  (umask 077 && printf '%s\n' "$password" >"$postgres_dir/password")
  # PostgreSQL refuses to run as root.
  if [ "$(id -u)" = 0 ]; then chown -R "$(postgres_user):" "$postgres_dir"; fi

  as_postgres "$postgres_bin/initdb" -D "$postgres_dir/data" -U keyvawlt --pwfile="$postgres_dir/password" \
    -A scram-sha-256 -E UTF8 --locale=C --no-sync 2>"$postgres_dir/initdb.log" || postgres_failed initdb

  # Below the range the kernel hands out, so that only another search like this one can take the port first.
  for attempt in 1 2 3 4 5; do
    port=$((15000 + RANDOM % 15000))
    port_answers 127.0.0.1 "$port" && continue
    if as_postgres "$postgres_bin/pg_ctl" -D "$postgres_dir/data" -l "$postgres_dir/server.log" -w -t 30 -o "$(postgres_options "$port")" start; then
      export KEYVAWLT_TEST_POSTGRES="postgres://keyvawlt:$password@127.0.0.1:$port/postgres"
      say "PostgreSQL: throw-away server of $("$postgres_bin/postgres" --version | cut -d' ' -f3) on port $port"
      return 0
    fi
    say "PostgreSQL did not start on port $port (attempt $attempt)"
  done
  postgres_failed server
}

postgres_options() {
  # Nothing here must survive a crash; 200 connections: tests run in parallel, each with its own small pools.
  printf '%s' "-p $1 -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c synchronous_commit=off" \
    " -c full_page_writes=off -c shared_buffers=64MB -c max_connections=200"
}

stop_postgres() {
  [ -n "$postgres_dir" ] || return 0
  if [ -f "$postgres_dir/data/postmaster.pid" ]; then
    as_postgres "$postgres_bin/pg_ctl" -D "$postgres_dir/data" -m immediate -w stop || true
  fi
  rm -rf "$postgres_dir"
  postgres_dir=""
}

postgres_user() { if id postgres >/dev/null 2>&1; then echo postgres; else echo nobody; fi; }

# From / because the working directory may be closed to that user.
as_postgres() {
  if [ "$(id -u)" = 0 ]; then
    (cd / && setpriv --reuid="$(postgres_user)" --regid="$(id -g "$(postgres_user)")" --init-groups -- "$@") >/dev/null </dev/null
  else
    "$@" >/dev/null </dev/null
  fi
}

# Shows initdb.log or server.log.
postgres_failed() {
  tail -n 20 "$postgres_dir/$1.log" >&2
  fail "the throw-away PostgreSQL did not start ($1)" \
    "name a running one: KEYVAWLT_TEST_POSTGRES=postgres://user:password@127.0.0.1:5432/postgres" \
    "or run what needs no PostgreSQL: tests/run --embedded"
}
