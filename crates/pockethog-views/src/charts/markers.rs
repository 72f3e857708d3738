//! Numbered markers for annotations. Those that would touch are drawn as one.

/// Where an annotation is on the chart.
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

    /// The room that it takes, if one marker takes `single`.
    fn room(&self, single: f64) -> f64 {
        if self.markers.len() > 1 {
            single * GROUP_ROOM
        } else {
            single
        }
    }
}

/// How much more room a group takes than one marker: its label is a range.
const GROUP_ROOM: f64 = 1.8;

/// Groups markers that would touch, if one marker takes `room`, a share of the width. A group sits at
/// its middle, and takes in what it comes to touch there.
pub(crate) fn clustered(markers: &[Marker], room: f64) -> Vec<Cluster> {
    let mut markers: Vec<Marker> = markers
        .iter()
        .filter(|marker| (0.0..=1.0).contains(&marker.at))
        .cloned()
        .collect();
    markers.sort_by(|one, other| one.at.total_cmp(&other.at));
    let mut clusters: Vec<Cluster> = Vec::new();
    for marker in markers {
        let mut cluster = Cluster {
            at: marker.at,
            markers: vec![marker],
        };
        while let Some(before) = clusters.pop_if(|before| {
            cluster.at - before.at < f64::midpoint(before.room(room), cluster.room(room))
        }) {
            cluster.markers.splice(..0, before.markers);
            let sum: f64 = cluster.markers.iter().map(|marker| marker.at).sum();
            cluster.at = sum / cluster.markers.len() as f64;
        }
        clusters.push(cluster);
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
    fn groups_never_touch_each_other() {
        for step in [0.01, 0.02, 0.045, 0.05, 0.07] {
            let markers: Vec<Marker> = (0..14)
                .map(|nth| marker(nth, 0.02 + nth as f64 * step))
                .collect();
            let clusters = clustered(&markers, 0.08);
            for pair in clusters.windows(2) {
                let needed = f64::midpoint(pair[0].room(0.08), pair[1].room(0.08));
                assert!(pair[1].at - pair[0].at >= needed, "{step}: {clusters:?}");
            }
            let kept: usize = clusters.iter().map(|cluster| cluster.markers.len()).sum();
            assert_eq!(kept, markers.len());
        }
    }

    #[test]
    fn markers_outside_the_range_are_not_drawn() {
        assert!(clustered(&[marker(1, -0.1), marker(2, 1.2)], 0.05).is_empty());
    }
}
