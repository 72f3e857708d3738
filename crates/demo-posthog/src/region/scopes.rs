//! Scopes: which there are, how an asked-for list is clamped, and which satisfies which.

/// Objects that a program may be let at, with the words of the consent page.
pub(crate) const OBJECTS: [(&str, &str); 45] = [
    ("action", "Actions"),
    ("activity_log", "Activity log"),
    ("annotation", "Annotations"),
    ("cohort", "Cohorts"),
    ("dashboard", "Dashboards"),
    ("dashboard_template", "Dashboard templates"),
    ("early_access_feature", "Early access features"),
    ("endpoint", "Endpoints"),
    ("error_tracking", "Error tracking"),
    ("event_definition", "Event definitions"),
    ("experiment", "Experiments"),
    ("experiment_saved_metric", "Saved metrics of experiments"),
    ("feature_flag", "Feature flags"),
    ("group", "Groups"),
    ("health_issue", "Health issues"),
    ("heatmap", "Heatmaps"),
    ("hog_flow", "Workflows"),
    ("hog_function", "Data pipelines"),
    ("insight", "Insights"),
    ("insight_variable", "Insight variables"),
    ("llm_analytics", "LLM analytics"),
    ("logs", "Logs"),
    ("metrics", "Metrics"),
    ("notebook", "Notebooks"),
    ("organization", "Organizations"),
    ("organization_member", "Members of organizations"),
    ("person", "Persons"),
    ("plugin", "Plugins"),
    ("product_tour", "Product tours"),
    ("project", "Projects"),
    ("property_definition", "Property definitions"),
    ("query", "Queries and events"),
    ("session_recording", "Session recordings"),
    ("session_recording_playlist", "Playlists of recordings"),
    ("sharing_configuration", "Sharing"),
    ("subscription", "Subscriptions"),
    ("survey", "Surveys"),
    ("task", "Tasks"),
    ("tracing", "Tracing"),
    ("usage_metric", "Usage metrics"),
    ("user", "Your user"),
    ("warehouse_table", "Warehouse tables"),
    ("warehouse_view", "Warehouse views"),
    ("web_analytics", "Web analytics"),
    ("webhook", "Webhooks"),
];

/// OpenID's scopes with their words. They are always allowed and are outside every ceiling.
pub(crate) const IDENTITY: [(&str, &str); 4] = [
    ("openid", "Sign in and read your user identifier"),
    ("profile", "Read your basic profile"),
    ("email", "Read your email address"),
    (
        "introspection",
        "Check whether a token you hold is still valid",
    ),
];

/// Whether it is one of [`IDENTITY`].
pub(crate) fn is_identity(scope: &str) -> bool {
    IDENTITY.iter().any(|(known, _)| *known == scope)
}

/// Every scope that a program may ask for, without those of OpenID.
pub(crate) fn self_serve() -> impl Iterator<Item = String> {
    OBJECTS
        .iter()
        .flat_map(|(object, _)| [format!("{object}:read"), format!("{object}:write")])
        .filter(|scope| scope != "query:write")
}

/// Whether it can be granted at all.
pub(crate) fn is_known(scope: &str) -> bool {
    is_identity(scope) || self_serve().any(|known| known == scope)
}

/// The words of a space-separated list, each once.
pub(crate) fn split(list: &str) -> Vec<String> {
    let mut scopes: Vec<String> = Vec::new();
    for scope in list.split_ascii_whitespace() {
        if !scopes.iter().any(|known| known == scope) {
            scopes.push(scope.to_owned());
        }
    }
    scopes
}

/// What an authorization request asks for, clamped to what can be granted: nothing here fails.
///
/// A list that is absent, or has only unknown scopes, or was cut off in the middle of its last one,
/// asks for the whole ceiling. `*` is narrowed to the ceiling, and stays if no ceiling is set.
pub(crate) fn clamp(asked: Option<&str>, ceiling: &[String]) -> Vec<String> {
    let whole = || -> Vec<String> {
        if ceiling.is_empty() {
            self_serve().collect()
        } else {
            ceiling.to_vec()
        }
    };
    let asked = split(asked.unwrap_or_default());
    let cut_off = asked.last().is_some_and(|last| {
        last != "*" && !is_known(last) && self_serve().any(|known| known.starts_with(last.as_str()))
    });
    let known: Vec<String> = asked
        .into_iter()
        .filter(|scope| scope == "*" || is_known(scope))
        .collect();
    if cut_off || known.is_empty() {
        return whole();
    }
    let mut granted = Vec::new();
    for scope in known {
        if scope == "*" && !ceiling.is_empty() {
            granted.extend(ceiling.iter().cloned());
        } else if is_identity(&scope) || scope == "*" || allows(ceiling, &scope) {
            granted.push(scope);
        }
    }
    split(&granted.join(" "))
}

/// Whether a ceiling lets a scope through; an empty one lets all.
pub(crate) fn allows(ceiling: &[String], scope: &str) -> bool {
    ceiling.is_empty() || satisfies(ceiling, scope)
}

/// Whether granted scopes let a request through that needs `wanted`: write is enough for read.
pub(crate) fn satisfies(granted: &[String], wanted: &str) -> bool {
    granted.iter().any(|scope| {
        scope == wanted
            || scope == "*"
            || wanted
                .strip_suffix(":read")
                .is_some_and(|object| scope.strip_suffix(":write") == Some(object))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_scopes_are_dropped_in_silence() {
        assert_eq!(
            clamp(Some("openid galaxy:read project:read project:read"), &[]),
            ["openid", "project:read"]
        );
    }

    #[test]
    fn no_list_or_a_cut_off_one_asks_for_the_whole_ceiling() {
        let everything = self_serve().count();
        for asked in [
            None,
            Some(""),
            Some("galaxy:read"),
            Some("openid project:re"),
        ] {
            assert_eq!(clamp(asked, &[]).len(), everything, "{asked:?}");
        }
        let ceiling = ["query:read".to_owned()];
        assert_eq!(clamp(None, &ceiling), ["query:read"]);
    }

    #[test]
    fn a_ceiling_narrows_the_star_and_spares_openid() {
        let ceiling = ["query:read".to_owned()];
        assert_eq!(clamp(Some("openid *"), &ceiling), ["openid", "query:read"]);
        assert_eq!(clamp(Some("*"), &[]), ["*"]);
        assert_eq!(clamp(Some("openid insight:read"), &ceiling), ["openid"]);
    }

    #[test]
    fn write_satisfies_read_and_not_the_reverse() {
        let write = ["annotation:write".to_owned()];
        assert!(satisfies(&write, "annotation:read"));
        let read = ["annotation:read".to_owned()];
        assert!(!satisfies(&read, "annotation:write"));
    }
}
