#!/bin/sh
# Previews, looks at the figures, executes once, and reports what happened to it.
json() { printf '%s\n' "$answer" | jq -r "$1"; }

answer=$(capcli --quiet preview SILVER --size 1 --stop 24.50 --json)
code=$?
if [ $code != 0 ]; then
    json '.error | "\(.code): \(.message) Next: \(.next)"' >&2
    exit $code
fi
if [ "$(json '.data | .margin < 50 and .spread_pct < 0.2 and .price_age_s < 10')" != true ]; then
    echo "Too dear, or an old price: not sent." >&2
    exit 5
fi
answer=$(capcli --quiet execute "$(json .data.preview_id)" --confirm --json)
code=$?
case $code in
0) json .data.sentence ;;
8) capcli --quiet reconcile "$(json .data.attempt_id)" --wait ; exit ;;
9) echo "OPEN WITHOUT ITS STOP: $(json .data.next)" >&2 ;;
*) json '.error | "\(.code): \(.message) Next: \(.next)"' >&2 ;;
esac
exit $code
