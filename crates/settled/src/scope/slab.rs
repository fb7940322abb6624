//! Numbered places that are used again.

/// Values in places that stay theirs until they are taken out.
pub(super) struct Slab<T> {
    places: Vec<Place<T>>,
    /// The place that was left last, which is the first of a chain.
    free: Option<usize>,
    taken: usize,
}

enum Place<T> {
    Taken(T),
    /// And the one that was left before it.
    Free(Option<usize>),
}

/// So much is kept when all is empty; the rest was for a crowd that may never come again.
const KEPT: usize = 64;

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self {
            places: Vec::new(),
            free: None,
            taken: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.taken
    }

    pub(super) fn is_empty(&self) -> bool {
        self.taken == 0
    }

    /// How many places there are, free ones included.
    pub(super) fn places(&self) -> usize {
        self.places.len()
    }

    pub(super) fn insert(&mut self, value: T) -> usize {
        self.taken += 1;
        match self.free {
            Some(place) => {
                let Place::Free(next) = self.places[place] else {
                    unreachable!("the chain is of free places")
                };
                self.free = next;
                self.places[place] = Place::Taken(value);
                place
            }
            None => {
                self.places.push(Place::Taken(value));
                self.places.len() - 1
            }
        }
    }

    pub(super) fn remove(&mut self, place: usize) -> Option<T> {
        let slot = self.places.get_mut(place)?;
        let Place::Taken(_) = slot else { return None };
        let Place::Taken(value) = std::mem::replace(slot, Place::Free(self.free)) else {
            unreachable!("it was looked at right above")
        };
        self.free = Some(place);
        self.taken -= 1;
        if self.taken == 0 {
            self.places.clear();
            self.places.shrink_to(KEPT);
            self.free = None;
        }
        Some(value)
    }

    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        match self.places.get_mut(place)? {
            Place::Taken(value) => Some(value),
            Place::Free(_) => None,
        }
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.places.iter().filter_map(|place| match place {
            Place::Taken(value) => Some(value),
            Place::Free(_) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Slab;

    #[test]
    fn a_place_is_used_again_and_the_rest_stays() {
        let mut slab = Slab::new();
        let places: Vec<usize> = (0..200).map(|value| slab.insert(value)).collect();
        assert_eq!(places, Vec::from_iter(0..200));
        assert_eq!((slab.remove(3), slab.remove(3)), (Some(3), None));
        assert_eq!((slab.remove(7), slab.len()), (Some(7), 198));
        assert_eq!(
            (slab.insert(70), slab.insert(30), slab.insert(200)),
            (7, 3, 200)
        );
        assert_eq!(slab.get_mut(7), Some(&mut 70));
        assert_eq!(slab.values().sum::<i32>(), (0..=200).sum::<i32>() + 90);
        for place in 0..201 {
            assert!(slab.remove(place).is_some());
        }
        assert!(slab.is_empty() && slab.places() == 0);
        assert!(slab.get_mut(0).is_none() && slab.remove(0).is_none());
        assert_eq!(slab.insert(1), 0);
    }
}
