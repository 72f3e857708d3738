//! Numbered markers for annotations. Those that would touch are drawn as one.

/// Where an annotation lies on the chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Marker {
    /// Its number in the list below the chart.
    pub number: usize,
    /// From 0 at the first point to 1 at the last.
    pub at: f64,
    /// Its text.
    pub text: String,
    /// Its day and author, as they are shown.
    pub when: String,
}

/// Markers drawn as one.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// From 0 at the first point to 1 at the last.
    pub at: f64,
    /// At least one, in order.
    pub markers: Vec<Marker>,
}

impl Cluster {
    /// `2`, or `2–4` where several share the place.
    pub fn label(&self) -> String {
        let numbers = || self.markers.iter().map(|marker| marker.number);
        match (numbers().min(), numbers().max()) {
            (Some(first), Some(last)) if first < last => format!("{first}–{last}"),
            (Some(only), _) => only.to_string(),
            (None, _) => String::new(),
        }
    }
}

/// Groups markers that are closer than `gap`, a share of the width. A group sits at its middle.
pub fn clustered(markers: &[Marker], gap: f64) -> Vec<Cluster> {
    let mut markers: Vec<Marker> = markers
        .iter()
        .filter(|marker| (0.0..=1.0).contains(&marker.at))
        .cloned()
        .collect();
    markers.sort_by(|one, other| one.at.total_cmp(&other.at));
    let mut clusters: Vec<Cluster> = Vec::new();
    for marker in markers {
        match clusters.last_mut() {
            Some(cluster) if marker.at - cluster.at < gap => {
                cluster.markers.push(marker);
                let sum: f64 = cluster.markers.iter().map(|marker| marker.at).sum();
                cluster.at = sum / cluster.markers.len() as f64;
            }
            _ => clusters.push(Cluster {
                at: marker.at,
                markers: vec![marker],
            }),
        }
    }
    clusters
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker(number: usize, at: f64) -> Marker {
        Marker {
            number,
            at,
            text: String::new(),
            when: String::new(),
        }
    }

    #[test]
    fn close_markers_share_a_place() {
        let clusters = clustered(&[marker(3, 0.9), marker(1, 0.2), marker(2, 0.22)], 0.05);
        let labels: Vec<_> = clusters.iter().map(Cluster::label).collect();
        assert_eq!(labels, ["1–2", "3"]);
        assert!((clusters[0].at - 0.21).abs() < 1e-9);
    }

    #[test]
    fn markers_outside_the_range_are_not_drawn() {
        assert!(clustered(&[marker(1, -0.1), marker(2, 1.2)], 0.05).is_empty());
    }
}
