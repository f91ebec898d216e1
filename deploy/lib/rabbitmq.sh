# shellcheck shell=bash
# A private RabbitMQ, and its private epmd, in $DIR/rabbitmq. Sourced by deploy/services.
#
#   data/            the node's database     rabbitmq.conf    ports and the first user, rewritten at every start
#   .erlang.cookie   what its own tools show enabled_plugins  the management plugin
#   password, *-port, process, epmd-process

MQ_USER=twitch
MQ_NODE=rabbit@localhost # no conflict with another one: the name is only known to our own epmd

mq_home() { printf '%s' "$DIR/rabbitmq"; }
mq_log() { printf '%s' "$DIR/log/rabbitmq.log"; }

mq_bin() {
  [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || die "RabbitMQ is not installed" "apt-get install rabbitmq-server"
  printf '%s' /usr/lib/rabbitmq/bin
}

mq_prepare() {
  local user=$1 home
  home=$(mq_home)
  mkdir -p "$home/data" "$home/conf.d"
  [ -s "$home/password" ] || random_hex 24 >"$home/password"
  if [ ! -s "$home/.erlang.cookie" ]; then
    random_hex 24 >"$home/.erlang.cookie"
    chmod 400 "$home/.erlang.cookie" # Erlang refuses a cookie that others may read
  fi
  printf '[rabbitmq_management].\n' >"$home/enabled_plugins"
  own "$user" "$home" "$home"/{data,conf.d,password,.erlang.cookie,enabled_plugins}
}

mq_write_conf() {
  local user=$1 port=$2 management=$3 home
  home=$(mq_home)
  {
    echo "# Written by deploy/services at every start. User and password count at the very first one."
    echo "listeners.tcp.1 = 127.0.0.1:$port"
    echo "management.tcp.ip = 127.0.0.1"
    echo "management.tcp.port = $management"
    echo "default_user = $MQ_USER"
    echo "default_pass = $(<"$home/password")"
    echo "log.console = true"
    echo "log.console.level = info"
    echo "log.file = false"
  } >"$home/rabbitmq.conf"
  own "$user" "$home/rabbitmq.conf"
}

# mq_environment - one NAME=VALUE a line; everything that would otherwise come from /etc/rabbitmq or the caller's environment
mq_environment() {
  local home
  home=$(mq_home)
  cat <<END
PATH=/usr/sbin:/usr/bin:/sbin:/bin
LANG=C.UTF-8
HOME=$home
ERL_EPMD_ADDRESS=127.0.0.1
ERL_EPMD_PORT=$(<"$home/epmd-port")
RABBITMQ_NODENAME=$MQ_NODE
RABBITMQ_NODE_IP_ADDRESS=127.0.0.1
RABBITMQ_NODE_PORT=$(<"$home/port")
RABBITMQ_DIST_PORT=$(<"$home/dist-port")
RABBITMQ_CONF_ENV_FILE=/dev/null
RABBITMQ_CONFIG_FILE=$home/rabbitmq.conf
RABBITMQ_CONFIG_FILES=$home/conf.d
RABBITMQ_ADVANCED_CONFIG_FILE=$home/advanced.config
RABBITMQ_ENABLED_PLUGINS_FILE=$home/enabled_plugins
RABBITMQ_MNESIA_BASE=$home/data
RABBITMQ_LOG_BASE=$home/data
RABBITMQ_LOGS=-
RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}
RABBITMQ_CTL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}
RUNNING_UNDER_SYSTEMD=true
END
}
# The last line makes rabbitmq-server replace itself by the Erlang VM, instead of standing before it and answering SIGTERM by
# starting a second VM: the pid we note is the broker's, and SIGTERM is its graceful stop.

# mq_exec USER COMMAND... - in the broker's environment and nothing else
mq_exec() {
  local user=$1 environment
  shift
  mapfile -t environment < <(mq_environment)
  cd "$(mq_home)" && as_user "$user" env -i "${environment[@]}" "$@"
}

# Our own epmd, in the foreground: a system one is neither asked nor left behind.
mq_launch_epmd() {
  local user=$1 home port
  home=$(mq_home)
  port=$(<"$home/epmd-port")
  (close_inherited && mq_exec "$user" setsid epmd -address 127.0.0.1 -port "$port") </dev/null >>"$DIR/log/epmd.log" 2>&1 &
  remember_process "$home/epmd-process" $!
  wait_ready epmd "$home/epmd-process" "$DIR/log/epmd.log" "$DEADLINE" port_in_use "$port"
}

mq_launch() {
  local user=$1
  (close_inherited && mq_exec "$user" setsid "$(mq_bin)/rabbitmq-server") </dev/null >>"$(mq_log)" 2>&1 &
  remember_process "$(mq_home)/process" $!
}

mq_write_access() {
  local port=$1 management=$2 password
  password=$(<"$(mq_home)/password")
  printf 'amqp://%s:%s@127.0.0.1:%s/%%2f' "$MQ_USER" "$password" "$port" >"$DIR/amqp-url"
  printf 'http://%s:%s@127.0.0.1:%s' "$MQ_USER" "$password" "$management" >"$DIR/management-url"
}

mq_running() { running_process "$(mq_home)/process"; }

# mq_answers PORT MANAGEMENT_PORT - AMQP listens, and the management API knows our user
mq_answers() {
  port_in_use "$1" && http_ok "$2" /api/overview "$(printf '%s:%s' "$MQ_USER" "$(<"$(mq_home)/password")" | base64 -w0)"
}

mq_start() {
  local user port management dist home
  home=$(mq_home)
  mq_bin >/dev/null
  user=$(server_user rabbitmq)
  if mq_running >/dev/null && running_process "$home/epmd-process" >/dev/null; then return 0; fi
  mq_stop # half of it may have survived a crash
  mq_prepare "$user"
  port=$(stored_port "$home/port")
  management=$(stored_port "$home/management-port" "$port")
  dist=$(stored_port "$home/dist-port" "$port" "$management")
  stored_port "$home/epmd-port" "$port" "$management" "$dist" >/dev/null
  mq_write_conf "$user" "$port" "$management"
  mq_write_access "$port" "$management"
  mq_launch_epmd "$user" || return
  mq_launch "$user"
  wait_ready RabbitMQ "$home/process" "$(mq_log)" "$DEADLINE" mq_answers "$port" "$management"
}

# Everything is on disk a few milliseconds after SIGTERM; then, with the management plugin, the broker sits out a five-second
# timeout of its own. Data that is thrown away anyway need not wait for that.
mq_stop() {
  local pid signal home patience=20
  home=$(mq_home)
  [ ! -e "$DIR/fast" ] || patience=0
  if pid=$(mq_running); then
    for signal in TERM KILL; do
      kill -s "$signal" "$pid" 2>/dev/null || true
      if wait_gone "$pid" "$patience"; then break; fi
      patience=20
    done
  fi
  if pid=$(running_process "$home/epmd-process"); then
    kill -TERM "$pid" 2>/dev/null || true
    wait_gone "$pid" 5 || true
  fi
  kill_leftovers "$home" beam.smp epmd erl_child_setup inet_gethost
  rm -f "$home/process" "$home/epmd-process"
}
