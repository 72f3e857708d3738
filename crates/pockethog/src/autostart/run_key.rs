//! The Run key of Windows' registry.
//!
//! A program of the command line that is started by it opens a window, so it is started by way of `start /min`, which
//! leaves that window in the task bar.

use super::step::{AutostartError, Failure, Step};
use super::{Autostart, Service, Status, answer};

const KEY: &str = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run";

pub(super) fn on(
    autostart: &Autostart,
    services: &[&Service],
) -> Result<Vec<Step>, AutostartError> {
    if let Some((name, _)) = autostart.environment.first() {
        return Err(AutostartError::Variable(name.clone()));
    }
    let mut steps = Vec::new();
    for service in services {
        let value = value(autostart, service);
        let add = [
            "reg",
            "add",
            KEY,
            "/v",
            service.name,
            "/t",
            "REG_SZ",
            "/d",
            &value,
            "/f",
        ];
        steps.push(Step::run(&add, Failure::Fatal));
    }
    Ok(steps)
}

pub(super) fn off(services: &[&Service]) -> Vec<Step> {
    let delete = |service: &&Service| {
        let delete = ["reg", "delete", KEY, "/v", service.name, "/f"];
        Step::run(&delete, Failure::Harmless)
    };
    services.iter().map(delete).collect()
}

pub(super) fn status(autostart: &Autostart, service: &Service) -> Status {
    let found = answer(&["reg", "query", KEY, "/v", service.name]);
    Status {
        name: service.name,
        on: found.is_some(),
        current: found.is_some_and(|found| found.ends_with(&value(autostart, service))),
        running: None,
        by: format!(r"{KEY}\{}", service.name),
    }
}

fn value(autostart: &Autostart, service: &Service) -> String {
    let program = autostart.program.display();
    let arguments = service.arguments.join(" ");
    format!(r#"cmd /c start "PocketHog" /min "{program}" {arguments}"#)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::super::samples::{autostart, shown};
    use super::super::{SERVICES, System};
    use super::*;

    #[test]
    fn windows_gets_a_value_that_starts_it_in_the_task_bar() {
        let home = Path::new(r"C:\Users\Ada");
        let mut autostart = autostart(System::RunKey, home);
        let services: Vec<&Service> = SERVICES.iter().collect();
        let refused = on(&autostart, &services).unwrap_err();
        assert!(refused.to_string().contains("POCKETHOG_HOME"), "{refused}");
        autostart.environment.clear();
        autostart.program = r"C:\Program Files\PocketHog\pockethog.exe".into();
        let mut steps = on(&autostart, &services).unwrap();
        steps.extend(off(&services));
        insta::assert_snapshot!(shown(&steps, home));
    }
}
