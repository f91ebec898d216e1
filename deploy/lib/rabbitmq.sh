# shellcheck shell=bash
# A private RabbitMQ of one or more nodes, and their private epmd. Sourced by deploy/services.
#
# $DIR/rabbitmq is the first node, $DIR/rabbitmq-2 the second, and so on; NODE says which one is meant. Each holds
#   data/            the node's database       rabbitmq.conf    ports and the first user, rewritten at every start
#   .erlang.cookie   the same for all nodes    enabled_plugins  the management plugin
#   *-port, process
# and the first one also the password. $DIR/epmd is the name server of them all; $DIR/nodes says how many there are.

MQ_USER=twitch
NODE=1

mq_suffix() { [ "$NODE" = 1 ] || printf -- '-%s' "$NODE"; }
mq_home() { printf '%s' "$DIR/rabbitmq$(mq_suffix)"; }
mq_log() { printf '%s' "$DIR/log/rabbitmq$(mq_suffix).log"; }
mq_password() { printf '%s' "$(<"$DIR/rabbitmq/password")"; }

# mq_node NUMBER - no conflict with another one's: the name is only known to our own epmd
mq_node() { printf 'rabbit%s@localhost' "${1#1}"; }

# mq_nodes - how many there are
mq_nodes() { if [ -s "$DIR/nodes" ]; then printf '%s' "$(<"$DIR/nodes")"; else printf 1; fi; }

mq_bin() {
  [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || die "RabbitMQ is not installed" "apt-get install rabbitmq-server"
  printf '%s' /usr/lib/rabbitmq/bin
}

mq_prepare() {
  local user=$1 home
  home=$(mq_home)
  mkdir -p "$home/data" "$home/conf.d"
  if [ "$NODE" = 1 ]; then
    [ -s "$home/password" ] || random_hex 24 >"$home/password"
    [ -s "$home/.erlang.cookie" ] || random_hex 24 >"$home/.erlang.cookie"
  else
    cp -f "$DIR/rabbitmq/.erlang.cookie" "$home/"
  fi
  chmod 400 "$home/.erlang.cookie" # Erlang refuses a cookie that others may read
  printf '[rabbitmq_management].\n' >"$home/enabled_plugins"
  own "$user" "$home" "$home"/{data,conf.d,.erlang.cookie,enabled_plugins}
}

mq_write_conf() {
  local user=$1 port=$2 management=$3 home node
  home=$(mq_home)
  {
    echo "# Written by deploy/services at every start. User, password and cluster count at the very first one."
    echo "listeners.tcp.1 = 127.0.0.1:$port"
    echo "management.tcp.ip = 127.0.0.1"
    echo "management.tcp.port = $management"
    echo "default_user = $MQ_USER"
    echo "default_pass = $(mq_password)"
    echo "log.console = true"
    echo "log.console.level = info"
    echo "log.file = false"
    if [ "$(mq_nodes)" -gt 1 ]; then
      echo "cluster_formation.peer_discovery_backend = classic_config"
      for ((node = 1; node <= $(mq_nodes); node++)); do
        echo "cluster_formation.classic_config.nodes.$node = $(mq_node "$node")"
      done
    fi
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
ERL_EPMD_PORT=$(<"$DIR/epmd/port")
RABBITMQ_NODENAME=$(mq_node "$NODE")
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

# Our own epmd, in the foreground: a system one is neither asked nor left behind. It outlives a node that is killed.
mq_start_epmd() {
  local user home=$DIR/epmd port
  user=$(server_user rabbitmq)
  mkdir -p "$home"
  own "$user" "$home"
  port=$(stored_port "$home/port")
  (
    close_inherited
    cd "$home" && as_user "$user" setsid env -i PATH=/usr/bin:/bin epmd -address 127.0.0.1 -port "$port"
  ) </dev/null >>"$DIR/log/epmd.log" 2>&1 &
  remember_process "$home/process" $!
  wait_ready epmd "$home/process" "$DIR/log/epmd.log" "$DEADLINE" port_in_use "$port"
}

mq_stop_epmd() {
  local pid
  if pid=$(running_process "$DIR/epmd/process"); then
    kill -TERM "$pid" 2>/dev/null || true
    wait_gone "$pid" 5 || true
  fi
  kill_leftovers "$DIR/epmd" epmd
  rm -f "$DIR/epmd/process"
}

mq_launch() {
  local user=$1
  (close_inherited && mq_exec "$user" setsid "$(mq_bin)/rabbitmq-server") </dev/null >>"$(mq_log)" 2>&1 &
  remember_process "$(mq_home)/process" $!
}

# Clients are told of all nodes, in the form that the programs understand; a file for each one besides.
mq_write_access() {
  local node home credentials
  credentials=$MQ_USER:$(mq_password)
  for ((node = 1; node <= $(mq_nodes); node++)); do
    [ "$(mq_nodes)" -gt 1 ] || break
    home=$(NODE=$node && mq_home)
    printf 'amqp://%s@127.0.0.1:%s/%%2f' "$credentials" "$(<"$home/port")" >"$DIR/amqp-url-$node"
    printf 'http://%s@127.0.0.1:%s' "$credentials" "$(<"$home/management-port")" >"$DIR/management-url-$node"
  done
  printf 'amqp://%s@%s/%%2f' "$credentials" "$(mq_addresses)" >"$DIR/amqp-url"
  printf 'http://%s@127.0.0.1:%s' "$credentials" "$(<"$DIR/rabbitmq/management-port")" >"$DIR/management-url"
}

mq_addresses() {
  local node ports=()
  for ((node = 1; node <= $(mq_nodes); node++)); do ports+=("$(<"$(NODE=$node && mq_home)/port")"); done
  hosts "${ports[@]}"
}

mq_running() { running_process "$(mq_home)/process"; }

# mq_answers PORT MANAGEMENT_PORT - AMQP listens, and the management API knows our user
mq_answers() {
  port_in_use "$1" && http_ok "$2" /api/overview "$(printf '%s:%s' "$MQ_USER" "$(mq_password)" | base64 -w0)"
}

# mq_start_node - the one that NODE means
mq_start_node() {
  local user port management home
  user=$(server_user rabbitmq)
  if mq_running >/dev/null; then return 0; fi
  mq_stop_node # half of it may have survived a crash
  home=$(mq_home)
  mq_prepare "$user"
  port=$(stored_port "$home/port")
  management=$(stored_port "$home/management-port")
  stored_port "$home/dist-port" >/dev/null
  mq_write_conf "$user" "$port" "$management"
  mq_launch "$user"
  wait_ready "RabbitMQ$(mq_suffix)" "$home/process" "$(mq_log)" "$DEADLINE" mq_answers "$port" "$management"
}

mq_new() { [ ! -d "$(mq_home)/data/$(mq_node "$NODE")" ]; }

# mq_start - a node that starts for the first time joins those that run. Nodes that were in a cluster start together: each
# waits for the one that stopped last.
mq_start() {
  local node failed='' starting=()
  mq_bin >/dev/null
  if ! running_process "$DIR/epmd/process" >/dev/null; then
    mq_stop # nodes that epmd has forgotten do not find each other
    try_start mq_start_epmd mq_stop_epmd "$DIR/log/epmd.log" "$DIR/epmd" || return
  fi
  for ((node = 1; node <= $(mq_nodes); node++)); do
    NODE=$node
    if mq_new; then continue; fi
    try_start mq_start_node mq_stop_node "$(mq_log)" "$(mq_home)" &
    starting+=($!)
  done
  for node in "${starting[@]}"; do wait "$node" || failed=1; done
  [ -z "$failed" ] || return 1
  for ((node = 1; node <= $(mq_nodes); node++)); do
    NODE=$node
    if mq_running >/dev/null; then continue; fi
    try_start mq_start_node mq_stop_node "$(mq_log)" "$(mq_home)" || return
  done
  NODE=1
  mq_write_access
}

# Everything is on disk a few milliseconds after SIGTERM; then, with the management plugin, the broker sits out a five-second
# timeout of its own. Data that is thrown away anyway need not wait for that.
mq_stop_node() {
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
  mq_kill_node
}

# mq_kill_node - between two instructions
mq_kill_node() {
  kill_leftovers "$(mq_home)" beam.smp epmd erl_child_setup inet_gethost
  rm -f "$(mq_home)/process"
}

# mq_stop - all nodes at once: the last one would wait for the others
mq_stop() {
  local node
  for ((node = 1; node <= $(mq_nodes); node++)); do
    (NODE=$node && mq_stop_node) &
  done
  wait
  mq_stop_epmd
}
