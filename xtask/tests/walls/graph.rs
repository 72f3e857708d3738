//! Cycles in a directed graph.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Which module uses which others.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    edges: BTreeMap<String, BTreeSet<String>>,
}

/// Modules of which each reaches each other one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Circle {
    /// All of them, by name.
    pub(crate) modules: BTreeSet<String>,
    /// A shortest way round: `a → b → a`.
    pub(crate) way_round: String,
}

impl Graph {
    /// Notes that a module uses another. What a module uses of itself does not count.
    pub(crate) fn add_use(&mut self, from: &str, to: &str) {
        let used = self.edges.entry(from.to_owned()).or_default();
        if from != to {
            used.insert(to.to_owned());
        }
    }

    /// The strongly connected components with more than one module (Tarjan's algorithm).
    pub(crate) fn circles(&self) -> Vec<Circle> {
        let mut search = Search {
            graph: self,
            next: 0,
            seen: BTreeMap::new(),
            stack: Vec::new(),
            circles: Vec::new(),
        };
        for module in self.edges.keys() {
            if !search.seen.contains_key(module.as_str()) {
                search.visit(module);
            }
        }
        search.circles.sort();
        search.circles
    }

    fn circle(&self, modules: BTreeSet<String>) -> Circle {
        let ways = modules
            .iter()
            .filter_map(|start| self.way_back_to(start, &modules));
        let shortest = ways.min_by_key(Vec::len).unwrap_or_default();
        Circle {
            way_round: shortest.join(" → "),
            modules,
        }
    }

    /// The shortest way from a module back to itself, breadth first.
    fn way_back_to<'a>(
        &'a self,
        start: &'a str,
        within: &BTreeSet<String>,
    ) -> Option<Vec<&'a str>> {
        let mut seen = BTreeSet::new();
        let mut ways = VecDeque::from([vec![start]]);
        while let Some(way) = ways.pop_front() {
            for used in self.edges.get(*way.last()?).into_iter().flatten() {
                let longer = way.iter().copied().chain([used.as_str()]).collect();
                if used == start {
                    return Some(longer);
                }
                if within.contains(used) && seen.insert(used) {
                    ways.push_back(longer);
                }
            }
        }
        None
    }
}

struct Search<'a> {
    graph: &'a Graph,
    next: usize,
    seen: BTreeMap<&'a str, Seen>,
    stack: Vec<&'a str>,
    circles: Vec<Circle>,
}

#[derive(Clone, Copy)]
struct Seen {
    number: usize,
    lowest: usize,
    on_stack: bool,
}

impl<'a> Search<'a> {
    fn visit(&mut self, module: &'a str) -> usize {
        let number = self.next;
        self.next += 1;
        self.stack.push(module);
        let seen = Seen {
            number,
            lowest: number,
            on_stack: true,
        };
        self.seen.insert(module, seen);
        let mut lowest = number;
        for used in self.graph.edges.get(module).into_iter().flatten() {
            match self.seen.get(used.as_str()) {
                None => lowest = lowest.min(self.visit(used)),
                Some(seen) if seen.on_stack => lowest = lowest.min(seen.number),
                Some(_) => {}
            }
        }
        if let Some(seen) = self.seen.get_mut(module) {
            seen.lowest = lowest;
        }
        if lowest == number {
            self.close(module);
        }
        lowest
    }

    /// All that is on the stack down to this module is one component.
    fn close(&mut self, module: &str) {
        let mut component = BTreeSet::new();
        while let Some(top) = self.stack.pop() {
            if let Some(seen) = self.seen.get_mut(top) {
                seen.on_stack = false;
            }
            component.insert(top.to_owned());
            if top == module {
                break;
            }
        }
        if component.len() > 1 {
            self.circles.push(self.graph.circle(component));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(uses: &[(&str, &str)]) -> Graph {
        let mut graph = Graph::default();
        for (from, to) in uses {
            graph.add_use(from, to);
        }
        graph
    }

    fn circle(modules: &[&str], way_round: &str) -> Circle {
        Circle {
            modules: modules.iter().map(|&module| module.to_owned()).collect(),
            way_round: way_round.to_owned(),
        }
    }

    #[test]
    fn floors_have_no_circle() {
        let floors = graph(&[("c", "b"), ("c", "a"), ("b", "a")]);
        assert_eq!(floors.circles(), []);
    }

    #[test]
    fn what_a_module_uses_of_itself_is_no_circle() {
        assert_eq!(graph(&[("a", "a")]).circles(), []);
    }

    #[test]
    fn two_that_use_each_other_are_a_circle() {
        let uses = graph(&[("a", "b"), ("b", "a"), ("b", "c")]);
        assert_eq!(uses.circles(), [circle(&["a", "b"], "a → b → a")]);
    }

    #[test]
    fn a_way_round_through_three_names_each_once() {
        let uses = graph(&[("a", "b"), ("b", "c"), ("c", "a")]);
        let whole = circle(&["a", "b", "c"], "a → b → c → a");
        assert_eq!(uses.circles(), [whole]);
    }

    #[test]
    fn a_long_circle_is_found_whole_and_its_shortest_way_is_named() {
        let uses = graph(&[
            ("a", "b"),
            ("b", "c"),
            ("c", "d"),
            ("d", "a"),
            ("d", "c"),
            ("x", "a"),
        ]);
        let whole = circle(&["a", "b", "c", "d"], "c → d → c");
        assert_eq!(uses.circles(), [whole]);
    }

    #[test]
    fn two_circles_with_a_bridge_between_them_stay_two() {
        let uses = graph(&[("a", "b"), ("b", "a"), ("b", "c"), ("c", "d"), ("d", "c")]);
        let found = [
            circle(&["a", "b"], "a → b → a"),
            circle(&["c", "d"], "c → d → c"),
        ];
        assert_eq!(uses.circles(), found);
    }
}
