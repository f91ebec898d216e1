# shellcheck shell=bash
# A user for each program, on PostgreSQL and on RabbitMQ, that can do the program's work and nothing else. Sourced, never run:
# by deploy/quickstart and by compose's make-credentials. Needs common.sh.
#
# The rights are in migrations/0009_roles.sql and deploy/rabbitmq/definitions.json; make-users.sql, beside this file, makes the
# users of PostgreSQL.

# Each has a user of its name on both servers.
PROGRAMS=(extractor game-enricher channel-enricher finalizer exporter operator console)

# put FILE - from stdin, whole or not at all
put() {
  cat >"$1.new"
  mv "$1.new" "$1"
}

# keep_password FILE - makes one up unless it is there
keep_password() { [ -s "$1" ] || random_hex 24 | put "$1"; }

# make_users DEFINITIONS POSTGRES RABBITMQ FOLDER DATABASE BROKER
#   DEFINITIONS         the template of RabbitMQ's users and rights
#   POSTGRES, RABBITMQ  folders: each server's passwords, a file for each user; RABBITMQ/definitions.json
#   FOLDER              FOLDER/NAME/database-url and amqp-url: what the program NAME is told, and nobody else; console/token
#   DATABASE, BROKER    host:port/database and host:port/vhost, as URLs have them
# A password is never an argument of a command: those are seen in the process list.
make_users() {
  local postgres=$2 rabbitmq=$3 folder=$4 database=$5 broker=$6 name definitions
  definitions=$(<"$1")
  mkdir -p "$postgres" "$rabbitmq"
  for name in "${PROGRAMS[@]}" reader; do keep_password "$postgres/$name"; done
  for name in "${PROGRAMS[@]}" admin scaler; do
    keep_password "$rabbitmq/$name"
    definitions=${definitions//"@$name@"/"$(<"$rabbitmq/$name")"}
  done
  printf '%s\n' "$definitions" | put "$rabbitmq/definitions.json"
  for name in "${PROGRAMS[@]}"; do
    mkdir -p "$folder/$name"
    printf 'postgresql://%s:%s@%s' "$name" "$(<"$postgres/$name")" "$database" | put "$folder/$name/database-url"
    printf 'amqp://%s:%s@%s' "$name" "$(<"$rabbitmq/$name")" "$broker" | put "$folder/$name/amqp-url"
  done
  # What a browser is asked for where the console is reached from elsewhere than its own machine.
  keep_password "$folder/console/token"
}
