# Completion of capcli for bash. Generated from the command tree: capcli help completions

__capcli_command() {
    case "$1|$2" in
    "|buy") ;;
    "|sell") ;;
    "|preview") ;;
    "|propose") ;;
    "|execute") ;;
    "|positions") ;;
    "|orders") ;;
    "|close") ;;
    "|exposure") ;;
    "|status") ;;
    "|desk") ;;
    "|events") ;;
    "|accounts") ;;
    "|history") ;;
    "|quote") ;;
    "|prices") ;;
    "|watch") ;;
    "|alert") ;;
    "|markets") ;;
    "|watchlists") ;;
    "|halt") ;;
    "|flatten") ;;
    "|resume") ;;
    "|approve") ;;
    "|mandate") ;;
    "|reconcile") ;;
    "|resolve") ;;
    "|login") ;;
    "|logout") ;;
    "|health") ;;
    "|config") ;;
    "|live") ;;
    "|mcp") ;;
    "|paper") ;;
    "|record") ;;
    "|schema") ;;
    "|help") ;;
    "positions|amend") ;;
    "positions|breakeven") ;;
    "orders|amend") ;;
    "orders|cancel") ;;
    "accounts|use") ;;
    "accounts|preferences") ;;
    "accounts|topup") ;;
    "history|executions") ;;
    "history|verify") ;;
    "history|accept") ;;
    "history|activity") ;;
    "history|transactions") ;;
    "history|report") ;;
    "history|stats") ;;
    "alert|add") ;;
    "alert|list") ;;
    "alert|remove") ;;
    "markets|search") ;;
    "markets|show") ;;
    "markets|browse") ;;
    "markets|sentiment") ;;
    "watchlists|list") ;;
    "watchlists|show") ;;
    "watchlists|create") ;;
    "watchlists|add") ;;
    "watchlists|remove") ;;
    "watchlists|delete") ;;
    "mandate|grant") ;;
    "mandate|list") ;;
    "mandate|revoke") ;;
    "config|get") ;;
    "config|set") ;;
    "config|unset") ;;
    "config|path") ;;
    "live|checklist") ;;
    "mcp|serve") ;;
    "mcp|tools") ;;
    "mcp|install") ;;
    "mcp|bundle") ;;
    "paper|status") ;;
    "paper|reset") ;;
    "paper|serve") ;;
    "paper|check") ;;
    "paper|faults") ;;
    "paper faults|set") ;;
    "paper faults|clear") ;;
    *) return 1 ;;
    esac
}

__capcli_valued() {
    case "$1|$2" in
    "buy|--risk") source="" ;;
    "buy|--stop") source="" ;;
    "buy|--stop-distance") source="" ;;
    "buy|--stop-amount") source="" ;;
    "buy|--limit") source="" ;;
    "buy|--limit-distance") source="" ;;
    "buy|--limit-amount") source="" ;;
    "buy|--at") source="" ;;
    "buy|--type") source="limit stop" ;;
    "buy|--good-till") source="" ;;
    "buy|--note") source="" ;;
    "buy|--tag") source="" ;;
    "sell|--risk") source="" ;;
    "sell|--stop") source="" ;;
    "sell|--stop-distance") source="" ;;
    "sell|--stop-amount") source="" ;;
    "sell|--limit") source="" ;;
    "sell|--limit-distance") source="" ;;
    "sell|--limit-amount") source="" ;;
    "sell|--at") source="" ;;
    "sell|--type") source="limit stop" ;;
    "sell|--good-till") source="" ;;
    "sell|--note") source="" ;;
    "sell|--tag") source="" ;;
    "preview|--size") source="" ;;
    "preview|--risk") source="" ;;
    "preview|--stop") source="" ;;
    "preview|--stop-distance") source="" ;;
    "preview|--stop-amount") source="" ;;
    "preview|--limit") source="" ;;
    "preview|--limit-distance") source="" ;;
    "preview|--limit-amount") source="" ;;
    "preview|--at") source="" ;;
    "preview|--type") source="limit stop" ;;
    "preview|--good-till") source="" ;;
    "preview|--note") source="" ;;
    "preview|--tag") source="" ;;
    "propose|--risk") source="" ;;
    "propose|--stop") source="" ;;
    "propose|--stop-distance") source="" ;;
    "propose|--note") source="" ;;
    "propose|--tag") source="" ;;
    "positions amend|--stop") source="" ;;
    "positions amend|--stop-distance") source="" ;;
    "positions amend|--limit") source="" ;;
    "positions amend|--limit-distance") source="" ;;
    "orders amend|--at") source="" ;;
    "orders amend|--stop") source="" ;;
    "orders amend|--stop-distance") source="" ;;
    "orders amend|--limit") source="" ;;
    "orders amend|--limit-distance") source="" ;;
    "orders amend|--good-till") source="" ;;
    "orders cancel|--epic") source="@epics" ;;
    "close|--size") source="" ;;
    "events|--since") source="" ;;
    "events|--last") source="" ;;
    "events|--every") source="" ;;
    "events|--exec") source="" ;;
    "events|--for") source="" ;;
    "accounts preferences|--hedging") source="on off" ;;
    "accounts preferences|--leverage") source="" ;;
    "history executions|--last") source="" ;;
    "history accept|--reason") source="" ;;
    "history activity|--last") source="" ;;
    "history activity|--from") source="" ;;
    "history activity|--to") source="" ;;
    "history activity|--epic") source="@epics" ;;
    "history activity|--type") source="" ;;
    "history activity|--status") source="" ;;
    "history activity|--source") source="" ;;
    "history activity|--deal") source="@deals" ;;
    "history transactions|--last") source="" ;;
    "history transactions|--from") source="" ;;
    "history transactions|--to") source="" ;;
    "history transactions|--epic") source="@epics" ;;
    "history transactions|--type") source="" ;;
    "history transactions|--status") source="" ;;
    "history transactions|--deal") source="@deals" ;;
    "history report|--last") source="" ;;
    "history report|--from") source="" ;;
    "history report|--to") source="" ;;
    "history report|--by") source="market day month" ;;
    "history stats|--last") source="" ;;
    "history stats|--from") source="" ;;
    "history stats|--to") source="" ;;
    "history stats|--by") source="market day month" ;;
    "history stats|--html") source="files" ;;
    "prices|--resolution") source="1m 5m 15m 30m 1h 4h 1d 1w MINUTE MINUTE_5 MINUTE_15 MINUTE_30 HOUR HOUR_4 DAY WEEK" ;;
    "prices|--last") source="" ;;
    "prices|--from") source="" ;;
    "prices|--to") source="" ;;
    "prices|--output") source="files" ;;
    "watch|--for") source="" ;;
    "watch|--every") source="" ;;
    "alert|--above") source="" ;;
    "alert|--below") source="" ;;
    "alert|--moves") source="" ;;
    "alert|--pnl-above") source="" ;;
    "alert|--pnl-below") source="" ;;
    "alert|--margin-above") source="" ;;
    "alert|--exec") source="" ;;
    "alert|--for") source="" ;;
    "alert add|--above") source="" ;;
    "alert add|--below") source="" ;;
    "alert add|--moves") source="" ;;
    "alert add|--pnl-above") source="" ;;
    "alert add|--pnl-below") source="" ;;
    "alert add|--margin-above") source="" ;;
    "markets search|--limit") source="" ;;
    "markets browse|--limit") source="" ;;
    "halt|--reason") source="" ;;
    "mandate grant|--epics") source="" ;;
    "mandate grant|--risk") source="" ;;
    "mandate grant|--total-risk") source="" ;;
    "mandate grant|--orders") source="" ;;
    "mandate grant|--until") source="" ;;
    "resolve|--landed") source="@deals" ;;
    "health|--only") source="settings state_folder journal keychain audit_trail credentials key_age broker_clock login account market_data allowed_epics trading halt approval notifications mandates limits unresolved assistants mcp_server" ;;
    "live checklist|--approval") source="" ;;
    "mcp serve|--toolsets") source="" ;;
    "mcp tools|--toolsets") source="" ;;
    "mcp install|--set") source="" ;;
    "mcp install|--toolsets") source="" ;;
    "mcp bundle|--output") source="files" ;;
    "paper reset|--seed") source="" ;;
    "paper reset|--start") source="" ;;
    "paper reset|--speed") source="" ;;
    "paper reset|--ticks") source="" ;;
    "paper reset|--replay") source="" ;;
    "paper reset|--accounts") source="" ;;
    "paper reset|--behaviour") source="kind awkward" ;;
    "paper reset|--confirms") source="prompt late" ;;
    "paper reset|--market") source="files" ;;
    "paper serve|--port") source="" ;;
    "paper serve|--seed") source="" ;;
    "paper serve|--start") source="" ;;
    "paper serve|--speed") source="" ;;
    "paper serve|--ticks") source="" ;;
    "paper serve|--replay") source="" ;;
    "paper serve|--accounts") source="" ;;
    "paper serve|--behaviour") source="kind awkward" ;;
    "paper serve|--confirms") source="prompt late" ;;
    "paper serve|--market") source="files" ;;
    "paper serve|--latency") source="" ;;
    "paper serve|--serves") source="demo live" ;;
    "paper serve|--name") source="" ;;
    "paper faults set|--times") source="" ;;
    "paper faults set|--for") source="" ;;
    "paper faults set|--on") source="orders changes confirms positions activity reads login all" ;;
    "paper faults set|--value") source="" ;;
    "help|--shell") source="bash zsh fish powershell" ;;
    *"|--env") source="paper demo live" ;;
    *"|--profile") source="@profiles" ;;
    *"|--account") source="@accounts" ;;
    *"|--fields") source="" ;;
    *"|--timeout") source="" ;;
    *"|--tz") source="" ;;
    *) return 1 ;;
    esac
}

__capcli_argument() {
    case "$1|$2" in
    "buy|"0) source="@epics" ;;
    "sell|"0) source="@epics" ;;
    "preview|"0) source="@epics" ;;
    "propose|"0) source="@epics" ;;
    "execute|"0) source="@previews" ;;
    "positions|"0) source="@positions" ;;
    "positions amend|"0) source="@positions" ;;
    "positions breakeven|"0) source="@positions" ;;
    "orders|"0) source="@orders" ;;
    "orders amend|"0) source="@orders" ;;
    "orders cancel|"0) source="@orders" ;;
    "close|"0) source="@positions" ;;
    "desk|"*) source="@epics" ;;
    "accounts use|"0) source="@accounts" ;;
    "quote|"*) source="@epics" ;;
    "prices|"0) source="@epics" ;;
    "watch|"*) source="@epics" ;;
    "alert|"*) source="@epics" ;;
    "alert add|"*) source="@epics" ;;
    "markets show|"0) source="@epics" ;;
    "markets sentiment|"*) source="@epics" ;;
    "watchlists show|"0) source="@watchlists" ;;
    "watchlists create|"*) source="@epics" ;;
    "watchlists add|"0) source="@watchlists" ;;
    "watchlists add|"1) source="@epics" ;;
    "watchlists remove|"0) source="@watchlists" ;;
    "watchlists remove|"1) source="@epics" ;;
    "watchlists delete|"0) source="@watchlists" ;;
    "reconcile|"0) source="@attempts" ;;
    "resolve|"0) source="@attempts" ;;
    "config get|"0) source="CAP_ENV CAP_ALLOW_TRADING CAP_ALLOWED_EPICS CAP_MAX_POSITION_SIZE CAP_MAX_WORKING_ORDER_SIZE CAP_MAX_OPEN_POSITIONS CAP_MAX_ORDERS_PER_DAY CAP_REQUIRE_EXPLICIT_CONFIRM CAP_DRY_RUN CAP_DEFAULT_ACCOUNT_ID CAP_HTTP_TIMEOUT_S CAP_LOG_LEVEL CAP_WS_ENABLED CAP_MAX_RISK_PCT CAP_MAX_TOTAL_RISK_PCT CAP_MAX_MARGIN_PCT CAP_MAX_DAILY_LOSS CAP_REQUIRE_STOP CAP_ENSURE_STOP CAP_MAX_DRIFT_PCT CAP_PREVIEW_TTL_S CAP_APPROVAL CAP_MANDATE_FILE CAP_NOTIFY CAP_NOTIFY_CMD CAP_API_URL CAP_STREAM_URL CAP_API_KEY CAP_IDENTIFIER CAP_API_PASSWORD" ;;
    "config set|"0) source="CAP_ENV CAP_ALLOW_TRADING CAP_ALLOWED_EPICS CAP_MAX_POSITION_SIZE CAP_MAX_WORKING_ORDER_SIZE CAP_MAX_OPEN_POSITIONS CAP_MAX_ORDERS_PER_DAY CAP_REQUIRE_EXPLICIT_CONFIRM CAP_DRY_RUN CAP_DEFAULT_ACCOUNT_ID CAP_HTTP_TIMEOUT_S CAP_LOG_LEVEL CAP_WS_ENABLED CAP_MAX_RISK_PCT CAP_MAX_TOTAL_RISK_PCT CAP_MAX_MARGIN_PCT CAP_MAX_DAILY_LOSS CAP_REQUIRE_STOP CAP_ENSURE_STOP CAP_MAX_DRIFT_PCT CAP_PREVIEW_TTL_S CAP_APPROVAL CAP_MANDATE_FILE CAP_NOTIFY CAP_NOTIFY_CMD CAP_API_URL CAP_STREAM_URL" ;;
    "config unset|"0) source="CAP_ENV CAP_ALLOW_TRADING CAP_ALLOWED_EPICS CAP_MAX_POSITION_SIZE CAP_MAX_WORKING_ORDER_SIZE CAP_MAX_OPEN_POSITIONS CAP_MAX_ORDERS_PER_DAY CAP_REQUIRE_EXPLICIT_CONFIRM CAP_DRY_RUN CAP_DEFAULT_ACCOUNT_ID CAP_HTTP_TIMEOUT_S CAP_LOG_LEVEL CAP_WS_ENABLED CAP_MAX_RISK_PCT CAP_MAX_TOTAL_RISK_PCT CAP_MAX_MARGIN_PCT CAP_MAX_DAILY_LOSS CAP_REQUIRE_STOP CAP_ENSURE_STOP CAP_MAX_DRIFT_PCT CAP_PREVIEW_TTL_S CAP_APPROVAL CAP_MANDATE_FILE CAP_NOTIFY CAP_NOTIFY_CMD CAP_API_URL CAP_STREAM_URL" ;;
    "paper check|"0) source="files" ;;
    "paper faults set|"0) source="drop-before drop-after half-body delay status java-code redirect not-json blocked no-reference too-many refuse confirm-late confirm-never stale-confirm old-reference success-reason level-zero no-profit activity-late deal-late drop-stop reject closed-text stop-demanded band slippage part-fill round-size numbers demo-currency new-fields old-rows no-quote unknown-word thin-details margin-factor market-mode shut oldest-again no-code day-start expire-session unauthorised session-cap switch-account rotate-tokens old-token-follows key-paused no-account stream-cut idle-cut bars-lost bars-again one-stream frame-exponents" ;;
    "paper faults clear|"0) source="drop-before drop-after half-body delay status java-code redirect not-json blocked no-reference too-many refuse confirm-late confirm-never stale-confirm old-reference success-reason level-zero no-profit activity-late deal-late drop-stop reject closed-text stop-demanded band slippage part-fill round-size numbers demo-currency new-fields old-rows no-quote unknown-word thin-details margin-factor market-mode shut oldest-again no-code day-start expire-session unauthorised session-cap switch-account rotate-tokens old-token-follows key-paused no-account stream-cut idle-cut bars-lost bars-again one-stream frame-exponents" ;;
    "record|"0) source="files" ;;
    "help|"0) source="login limits mcp scripts data cron paper architecture agents exit-codes error refusals environment output preview completions reference" ;;
    *) source= ;;
    esac
}

__capcli_words() {
    case "$1" in
    "") words="buy sell preview propose execute positions orders close exposure status desk events accounts history quote prices watch alert markets watchlists halt flatten resume approve mandate reconcile resolve login logout health config live mcp paper record schema help|" ;;
    "buy") words="|--risk --stop --stop-distance --stop-amount --limit --limit-distance --limit-amount --trailing --guaranteed --at --type --good-till --note --tag --explain --again --ensure-stop --confirm --yes" ;;
    "sell") words="|--risk --stop --stop-distance --stop-amount --limit --limit-distance --limit-amount --trailing --guaranteed --at --type --good-till --note --tag --explain --again --ensure-stop --confirm --yes" ;;
    "preview") words="|--size --risk --sell --stop --stop-distance --stop-amount --limit --limit-distance --limit-amount --trailing --guaranteed --at --type --good-till --note --tag --explain --id-only" ;;
    "propose") words="|--risk --buy --sell --stop --stop-distance --note --tag --id-only" ;;
    "execute") words="|--again --ensure-stop --confirm --yes" ;;
    "positions") words="amend breakeven|" ;;
    "positions amend") words="|--stop --stop-distance --no-stop --limit --limit-distance --no-limit --trailing --guaranteed --confirm --yes" ;;
    "positions breakeven") words="|--confirm --yes" ;;
    "orders") words="amend cancel|" ;;
    "orders amend") words="|--at --stop --stop-distance --limit --limit-distance --trailing --guaranteed --good-till --no-expiry --confirm --yes" ;;
    "orders cancel") words="|--all --epic --confirm --yes" ;;
    "close") words="|--size --all --again --confirm --yes" ;;
    "exposure") words="|" ;;
    "status") words="|" ;;
    "desk") words="|" ;;
    "events") words="|--follow -f --since --last --every --exec --for" ;;
    "accounts") words="use preferences topup|" ;;
    "accounts use") words="|" ;;
    "accounts preferences") words="|--hedging --leverage --confirm --yes" ;;
    "accounts topup") words="|--confirm --yes" ;;
    "history") words="executions verify accept activity transactions report stats|" ;;
    "history executions") words="|--last" ;;
    "history verify") words="|" ;;
    "history accept") words="|--reason" ;;
    "history activity") words="|--last --from --to --epic --type --status --source --deal" ;;
    "history transactions") words="|--last --from --to --epic --type --status --deal" ;;
    "history report") words="|--last --from --to --by" ;;
    "history stats") words="|--last --from --to --by --chart --html --force" ;;
    "quote") words="|" ;;
    "prices") words="|--resolution --last --from --to --chart --output --force" ;;
    "watch") words="|--positions --once --for --every" ;;
    "alert") words="add list remove|--above --below --moves --pnl-above --pnl-below --margin-above --all --exec --repeat --for" ;;
    "alert add") words="|--above --below --moves --pnl-above --pnl-below --margin-above" ;;
    "alert list") words="|" ;;
    "alert remove") words="|--all" ;;
    "markets") words="search show browse sentiment|" ;;
    "markets search") words="|--limit" ;;
    "markets show") words="|" ;;
    "markets browse") words="|--limit" ;;
    "markets sentiment") words="|" ;;
    "watchlists") words="list show create add remove delete|" ;;
    "watchlists list") words="|" ;;
    "watchlists show") words="|" ;;
    "watchlists create") words="|" ;;
    "watchlists add") words="|" ;;
    "watchlists remove") words="|" ;;
    "watchlists delete") words="|--confirm --yes" ;;
    "halt") words="|--reason" ;;
    "flatten") words="|--dry-run --confirm --yes" ;;
    "resume") words="|--confirm --yes" ;;
    "approve") words="|--deny --watch" ;;
    "mandate") words="grant list revoke|" ;;
    "mandate grant") words="|--epics --risk --total-risk --orders --until" ;;
    "mandate list") words="|" ;;
    "mandate revoke") words="|" ;;
    "reconcile") words="|--wait" ;;
    "resolve") words="|--landed --not-placed --confirm --yes" ;;
    "login") words="|--stdin --status --check" ;;
    "logout") words="|--forget" ;;
    "health") words="|--only --report" ;;
    "config") words="get set unset path|" ;;
    "config get") words="|" ;;
    "config set") words="|" ;;
    "config unset") words="|" ;;
    "config path") words="|" ;;
    "live") words="checklist|" ;;
    "live checklist") words="|--approval" ;;
    "mcp") words="serve tools install bundle|" ;;
    "mcp serve") words="|--read-only --toolsets" ;;
    "mcp tools") words="|--read-only --toolsets" ;;
    "mcp install") words="|--dry-run --remove --set --skill --read-only --toolsets" ;;
    "mcp bundle") words="|--output" ;;
    "paper") words="status reset serve check faults|" ;;
    "paper status") words="|" ;;
    "paper reset") words="|--seed --start --speed --ticks --replay --no-limits --accounts --behaviour --confirms --real-hours --market --confirm --yes" ;;
    "paper serve") words="|--port --tls --seed --start --speed --ticks --replay --no-limits --accounts --behaviour --confirms --real-hours --market --latency --serves --name --log" ;;
    "paper check") words="|" ;;
    "paper faults") words="set clear|" ;;
    "paper faults set") words="|--times --for --on --value" ;;
    "paper faults clear") words="|" ;;
    "record") words="|" ;;
    "schema") words="|" ;;
    "help") words="|--shell" ;;
    *) words= ;;
    esac
}

__capcli_offer() {
    local word
    for word in $1; do
        [[ $word == "$current"* ]] && COMPREPLY+=("$word")
    done
}

__capcli_ask() {
    local word rest program=${COMP_WORDS[0]/#\~/$HOME}
    while IFS=$'\t' read -r word rest; do
        [[ $word == "$current"* ]] && COMPREPLY+=("$word")
    done < <("$program" __complete "$1" ${place[@]+"${place[@]}"} 2>/dev/null)
}

__capcli_files() {
    local file
    compopt -o filenames 2>/dev/null
    while IFS= read -r file; do
        COMPREPLY+=("$file")
    done < <(compgen -f -- "$current")
}

__capcli_fill() {
    case "$1" in
    @*) __capcli_ask "${1#@}" ;;
    files) __capcli_files ;;
    *) __capcli_offer "$1" ;;
    esac
}

# The environment and the profile of this line decide which values were seen.
__capcli_place() {
    local index next
    for ((index = 1; index < ${#COMP_WORDS[@]}; index++)); do
        case "${COMP_WORDS[index]}" in
        --env | --profile | --account)
            next=$((index + 1))
            [[ ${COMP_WORDS[next]-} == "=" ]] && next=$((next + 1))
            [[ -n ${COMP_WORDS[next]-} ]] && place+=("${COMP_WORDS[index]}" "${COMP_WORDS[next]}")
            ;;
        esac
    done
}

_capcli() {
    local IFS=$' \t\n' current=${COMP_WORDS[COMP_CWORD]} route="" key="" count=0 ended="" index word
    local source="" words=""
    local -a place=()
    COMPREPLY=()
    [[ $current == "=" ]] && current=""
    for ((index = 1; index < COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        if [[ -n $key ]]; then
            [[ $word == "=" ]] || key=""
        elif [[ -z $ended && $word == "--" ]]; then
            ended=1
        elif [[ -z $ended && $word == -* ]]; then
            __capcli_valued "$route" "$word" && key=$word
        elif [[ -z $ended && $count == 0 ]] && __capcli_command "$route" "$word"; then
            route=${route:+$route }$word
        else
            count=$((count + 1))
        fi
    done
    __capcli_place
    if [[ -n $key ]]; then
        __capcli_valued "$route" "$key"
        __capcli_fill "$source"
        return
    fi
    __capcli_words "$route"
    if [[ -z $ended && $current == -* ]]; then
        __capcli_offer "${words#*|} --env --profile --account --json --csv --fields --no-color --quiet -q --verbose -v --timeout --tz --version -V --help"
        return
    fi
    [[ $count == 0 ]] && __capcli_offer "${words%%|*}"
    __capcli_argument "$route" "$count"
    __capcli_fill "$source"
}

complete -F _capcli capcli
