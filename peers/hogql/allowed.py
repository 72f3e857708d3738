"""The functions, tables and columns that PostHog knows, as far as this project may use them.

Deliberately no more than that: a text that uses another name fails the check until somebody has looked the name
up in PostHog's source and added it here. Names are compared as written, with upper and lower case.
"""

AGGREGATIONS = set(
    """
    count countIf sum sumIf avg avgIf min minIf max maxIf any anyIf uniq uniqIf uniqExact uniqExactIf uniqHLL12
    uniqTheta quantile quantiles median medianIf argMin argMinIf argMax argMaxIf groupArray groupUniqArray topK
    """.split()
)

FUNCTIONS = AGGREGATIONS | set(
    """
    toStartOfMinute toStartOfFifteenMinutes toStartOfHour toStartOfDay toStartOfWeek toStartOfMonth
    toStartOfQuarter toStartOfYear toStartOfInterval dateTrunc dateDiff toUnixTimestamp toTimeZone formatDateTime
    lagInFrame toHour toDayOfWeek now toDateTime toDateTime64 toDate parseDateTimeBestEffort
    toIntervalSecond toIntervalMinute toIntervalHour toIntervalDay toIntervalWeek toIntervalMonth
    toString toFloat toInt arrayJoin ifNull coalesce nullIf if multiIf lower upper concat
    """.split()
)

# Why a name that a reader would expect is not in the list above.
REFUSED = {
    "today": "knows no project time zone",
    "yesterday": "knows no project time zone",
    "current_date": "knows no project time zone",
    "uniqCombined": "is not allowed by PostHog",
    "quantileExact": "is not allowed by PostHog",
    "quantileTDigest": "is not allowed by PostHog",
    "quantileTiming": "is not allowed by PostHog",
}

# Column names by table; a name that ends in `.*` may be followed by one more name of any kind.
TABLES = {
    "events": set(
        """
        uuid event properties.* timestamp distinct_id created_at elements_chain $session_id $window_id person_mode
        $virt_is_bot $virt_traffic_type $virt_traffic_category $virt_bot_name $virt_bot_operator
        person_id person.id person.created_at person.properties.*
        $group_0 $group_1 $group_2 $group_3 $group_4
        """.split()
    ),
    "sessions": set(
        """
        session_id distinct_id person_id $start_timestamp $end_timestamp $session_duration $pageview_count
        $screen_count $autocapture_count $is_bounce $entry_current_url $entry_pathname $entry_hostname
        $end_pathname $entry_referring_domain $entry_utm_source $entry_utm_medium $entry_utm_campaign
        $entry_utm_term $entry_utm_content $channel_type $urls $num_uniq_urls $last_external_click_url
        """.split()
    ),
    "persons": {"id", "created_at", "properties.*", "is_identified", "pdi.distinct_id"},
}
# The lazy join of an event to its session.
TABLES["events"] |= {f"session.{column}" for column in TABLES["sessions"]}

# PostHog clamps what is larger.
MOST_ROWS = 50_000
