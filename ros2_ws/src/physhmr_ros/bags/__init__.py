"""rosbag2 bags without rosbag2: written as MCAP with zstd, read also where they are damaged."""
