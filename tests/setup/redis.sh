# shellcheck shell=bash
# A Redis for the tests: one that runs already and is named, or a throw-away one from the installed program.
# The throw-away server listens on loopback behind a random password, writes nothing to disk and is gone afterwards. Tests that kill a Redis
# start one of their own from the same program.
# Sourced by tests/run; defines functions only.

redis_dir=""

find_redis() {
  local candidate
  candidate=${KEYVAWLT_TEST_REDIS_SERVER:-$(command -v redis-server || command -v valkey-server || true)}
  [ -n "$candidate" ] && [ -x "$candidate" ] || return 1
  export KEYVAWLT_TEST_REDIS_SERVER=$candidate
}

# redis://[user:password@]host[:port][/database]
check_named_redis() {
  local rest
  rest=${KEYVAWLT_TEST_REDIS#*://}
  rest=${rest##*@}
  rest=${rest%%[/?#]*}
  local host=${rest%:*} port=${rest##*:}
  [ "$host" != "$rest" ] || port=6379
  port_answers "$host" "$port" ||
    fail "KEYVAWLT_TEST_REDIS names $host:$port, and nothing answers there" "start it, or unset the variable for a throw-away server"
}

start_redis() {
  local password port attempt waited
  redis_dir=$(mktemp -d "${TMPDIR:-/tmp}/keyvawlt-redis.XXXXXX")
  password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  # Below the range the kernel hands out, so that only another search like this one can take the port first.
  for attempt in 1 2 3 4 5; do
    port=$((15000 + RANDOM % 15000))
    port_answers 127.0.0.1 "$port" && continue
    # The password in a file: a command line is for everybody to read.
    (umask 077 && redis_options "$port" "$password" >"$redis_dir/redis.conf")
    "$KEYVAWLT_TEST_REDIS_SERVER" "$redis_dir/redis.conf" >/dev/null </dev/null
    for waited in $(seq 100); do
      if port_answers 127.0.0.1 "$port" && [ -s "$redis_dir/pid" ]; then
        export KEYVAWLT_TEST_REDIS="redis://default:$password@127.0.0.1:$port/0"
        say "Redis: throw-away server on port $port"
        return 0
      fi
      sleep 0.05
    done
    say "Redis did not start on port $port (attempt $attempt, waited $waited rounds)"
  done
  tail -n 20 "$redis_dir/log" >&2
  fail "the throw-away Redis did not start" \
    "name a running one: KEYVAWLT_TEST_REDIS=redis://:password@127.0.0.1:6379/0" "or run what needs none: tests/run --embedded"
}

redis_options() {
  printf '%s\n' "port $1" "requirepass $2" "bind 127.0.0.1" "save \"\"" "appendonly no" "daemonize yes" \
    "dir $redis_dir" "pidfile $redis_dir/pid" "logfile $redis_dir/log" "maxmemory 256mb"
}

stop_redis() {
  [ -n "$redis_dir" ] || return 0
  # It keeps nothing: there is no need to wait for a clean end.
  if [ -s "$redis_dir/pid" ]; then kill -KILL "$(cat "$redis_dir/pid")" 2>/dev/null || true; fi
  rm -rf "$redis_dir"
  redis_dir=""
}
