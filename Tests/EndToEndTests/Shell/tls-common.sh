# What the scripts share that put an nginx with TLS in front; sourced by them, after common.sh.
unset SSL_CERT_DIR no_proxy NO_PROXY

# --- The authority, and what it signs ---------------------------------------------------------------------------
new_key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
authority() { # name: the files NAME.key and NAME.pem
  openssl req -x509 "${new_key[@]}" -keyout "$1.key" -out "$1.pem" -subj "/CN=$1" -days 2 2>/dev/null
}
authority ca
openssl req -new "${new_key[@]}" -keyout nginx.key -out nginx.csr -subj /CN=nginx 2>/dev/null
echo 'subjectAltName=DNS:localhost,IP:127.0.0.1' >extensions
openssl x509 -req -in nginx.csr -CA ca.pem -CAkey ca.key -set_serial 7 -days 2 -extfile extensions -out nginx.pem 2>/dev/null
export SSL_CERT_FILE=$work/ca.pem NIX_SSL_CERT_FILE=$work/ca.pem

# --- nginx ------------------------------------------------------------------------------------------------------
tls_port=$(free_port)
tls_url=https://localhost:$tls_port
nginx_pid=

start_nginx() { # directives beside the TLS server, directives of it; the caller ends nginx_pid
  local user='' tries
  if [[ $(id -u) == 0 ]]; then user='user root;'; fi
  cat >nginx.conf <<CONF
$user daemon off; pid $work/nginx.pid; worker_processes 1; error_log $work/nginx-error.log;
events { worker_connections 1024; }
http {
  log_format short '\$status \$request_method \$request_uri'; access_log $work/nginx-access.log short;
  client_body_temp_path $work/t1; proxy_temp_path $work/t2; fastcgi_temp_path $work/t3; uwsgi_temp_path $work/t4; scgi_temp_path $work/t5;
  client_max_body_size 0; proxy_request_buffering off; proxy_http_version 1.1;
  proxy_set_header Host \$http_host; proxy_set_header X-Forwarded-Proto \$scheme; proxy_set_header Connection "";
  $1
  server {
    listen $tls_port ssl; ssl_certificate $work/nginx.pem; ssl_certificate_key $work/nginx.key;
    $2
  }
}
CONF
  /usr/sbin/nginx -p "$work" -c "$work/nginx.conf" -e "$work/nginx-error.log" 2>>nginx-out &
  nginx_pid=$!
  for ((tries = 0; tries < 200; tries++)); do
    if ! port_is_free "$tls_port"; then return; fi
    kill -0 "$nginx_pid" || die "nginx does not start: $(cat nginx-out nginx-error.log)"
    sleep 0.05
  done
  die 'nginx did not listen within 10 seconds'
}
