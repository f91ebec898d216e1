# shellcheck shell=bash
# Small helpers that every script here shares. Sourced, never run.

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }

# die MESSAGE... - the first line says what is wrong, the others what to do about it
die() {
  printf 'error: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
  exit 1
}

is_root() { [ "$EUID" -eq 0 ]; }

# random_hex BYTES - hexadecimal, so that it needs no quoting in a URL, a config file or SQL
random_hex() { od -An -v -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }

# show_tail FILE - the end of a log, for an error message
show_tail() {
  [ -s "$1" ] || { warn "  ($1 is empty)"; return 0; }
  warn "  the end of $1:"
  tail -n "${2:-15}" "$1" | sed 's/^/  | /' >&2
}

# now_ms / took START_MS - "0.4 s"
now_ms() { local t=${EPOCHREALTIME/[.,]/}; printf '%s' "${t%???}"; }
took() {
  local ms=$(($(now_ms) - $1))
  printf '%d.%d s' $((ms / 1000)) $((ms % 1000 / 100))
}

# ---- folders ----------------------------------------------------------------
# A script changes only what it made: the mode of a folder that was there before is somebody else's affair.

# make_folder DIR WHAT - makes DIR and what is missing above it, such that the servers' users can pass through; WHAT is what the
# person calls it. What is there already stays as it is, and must be ours to write.
make_folder() {
  local reason
  reason=$(umask 066 && LC_ALL=C mkdir -p -- "$1" 2>&1) || die "$2 $1 cannot be written: ${reason##*: }" "Name a folder you may write."
  [ -w "$1" ] || die "$2 $1 cannot be written: Permission denied" "Name a folder you may write."
}

# open_lock DESCRIPTOR FILE WHAT - opens FILE, for flock
open_lock() {
  { eval "exec $1>\"\$2\""; } 2>/dev/null || die "$3 ${2%/*} cannot be written: $2 cannot be opened" "Name a folder you may write."
}

# ---- ports ------------------------------------------------------------------

port_in_use() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port [TAKEN...] - a port on 127.0.0.1 that nobody listens on. Below the usual ephemeral range (32768 and up), so that
# no outgoing connection takes it between now and the moment its server binds.
free_port() {
  local port taken
  while :; do
    port=$((20000 + RANDOM % 12000))
    for taken in "$@"; do [ "$port" != "$taken" ] || continue 2; done
    port_in_use "$port" || break
  done
  printf '%s' "$port"
}

# hosts PORT... - "127.0.0.1:5432,127.0.0.1:5433", as URLs name several servers
hosts() {
  local list
  printf -v list '127.0.0.1:%s,' "$@"
  printf '%s' "${list%,}"
}

# http_ok PORT PATH [BASIC_AUTH] - does it answer 200? By bash's own /dev/tcp: no curl needed, and nothing secret on a command
# line. The subshell takes the SIGPIPE of a server that hangs up.
http_ok() (
  exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
  printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n%s\r\n' "$2" "${3:+Authorization: Basic $3$'\r\n'}" >&3
  read -r -t 5 _ status _ <&3 && [ "$status" = 200 ]
) 2>/dev/null

# ---- processes --------------------------------------------------------------
# A pid alone says little: after a crash or a reboot it may be somebody else's. We note the start time with it and compare both.
# All of it from /proc: a minimal Debian has no ps and no pgrep.

# process_start PID - its start time; fails when there's no such process, or only its zombie
process_start() {
  local stat
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  stat=${stat##*) } # the name may hold blanks and brackets
  local -a field
  read -ra field <<<"$stat"
  [ "${field[0]}" != Z ] || return 1
  printf '%s' "${field[19]}"
}

# remember_process FILE PID
remember_process() { printf '%s %s\n' "$2" "$(process_start "$2" || printf gone)" >"$1"; }

# running_process FILE - prints the pid when the remembered process still lives
running_process() {
  local pid start
  { read -r pid start <"$1"; } 2>/dev/null || return 1
  [ "$(process_start "$pid")" = "$start" ] || return 1
  printf '%s' "$pid"
}

# wait_gone PID SECONDS
wait_gone() {
  local end=$((SECONDS + $2))
  while process_start "$1" >/dev/null; do
    [ "$SECONDS" -le "$end" ] || return 1
    sleep 0.05
  done
}

# processes_in DIR NAME... - pids of programs of these names whose working directory is DIR or below. Finds what a crash left
# behind: our servers keep the directory they were started in. The names spare a shell that somebody left standing there.
processes_in() {
  local dir=$1 entry cwd exe name
  shift
  for entry in /proc/[0-9]*; do
    cwd=$(readlink "$entry/cwd" 2>/dev/null) || continue
    [[ ${cwd% (deleted)}/ == "$dir"/* ]] || continue
    exe=$(readlink "$entry/exe" 2>/dev/null) || continue
    exe=${exe% (deleted)}
    for name in "$@"; do
      [ "${exe##*/}" != "$name" ] || printf '%s\n' "${entry#/proc/}"
    done
  done
}

# wait_ready NAME PROCESS_FILE LOG SECONDS CHECK... - until CHECK succeeds; fails at once when the process is gone
wait_ready() {
  local name=$1 process=$2 log=$3 deadline=$4 end=$((SECONDS + $4))
  shift 4
  until "$@"; do
    if ! running_process "$process" >/dev/null; then
      warn "error: $name stopped while starting"
      show_tail "$log"
      return 1
    fi
    if [ "$SECONDS" -gt "$end" ]; then
      warn "error: $name was not ready within $deadline s"
      show_tail "$log"
      return 1
    fi
    sleep 0.1
  done
}

# close_inherited - in a subshell that is about to become a server: lets go of every descriptor above 2, be it our lock or a
# pipe of whoever called us. They'd wait for its end as long as the server lives.
close_inherited() {
  local fd
  for fd in "/proc/$BASHPID/fd"/*; do
    fd=${fd##*/}
    [ "$fd" -le 2 ] || eval "exec $fd>&-"
  done
}

# kill_leftovers DIR NAME... - SIGKILL, and wait until they are gone
kill_leftovers() {
  local pid
  for pid in $(processes_in "$@"); do
    kill -KILL "$pid" 2>/dev/null || true
    wait_gone "$pid" 10 || warn "process $pid does not go away"
  done
}

# ---- the user that servers run as ---------------------------------------------
# As root: the package's own user, for PostgreSQL refuses root and RabbitMQ should not have it. Otherwise: you.

server_user() { if is_root; then printf '%s' "$1"; else id -un; fi; }

# as_user USER COMMAND... - keeps the pid: every link of the chain is an exec
as_user() {
  local user=$1
  shift
  if is_root; then
    exec setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups -- "$@"
  else
    exec "$@"
  fi
}

# own USER PATH... - give to the server's user
own() {
  local user=$1
  shift
  if is_root; then chown "$user:$(id -g "$user")" "$@"; fi
}
