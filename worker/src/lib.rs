//! What happens later: relay, queue, schedules, alerts and mail.
